import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TraceEvent } from '../wire/direction/trace.ts'
import { ofEnds } from './attribution.ts'

type Ending = NonNullable<Parameters<typeof ofEnds>[0]['ending']>
type What = Exclude<TraceEvent['what'], 'bytes' | 'failed'>

/** Whose doing the end is, by what happened at the other end in that order. */
function sideOf(ending: Ending | undefined, seen: readonly What[], finMs = Number.NaN) {
  const times = { wroteMs: 0, lastMs: 1, endedMs: 10, allReceivedBytes: 1, finMs }
  const events = seen.map((what, atMs) => ({ what, atMs }))
  return ofEnds({ ending, ...times }, { events })?.side
}

test('a connection that the other end closes, with or without a FIN before, is its doing', () => {
  assert.equal(sideOf('FIN', ['ended', 'fin', 'closed']), 'other end')
  // An idle timeout.
  assert.equal(sideOf('FIN', ['closed']), 'other end')
  assert.equal(sideOf('RST', ['closed']), 'other end')
})

test('an end that each side sees come from the other is of the way', () => {
  assert.equal(sideOf('FIN', ['fin', 'ended', 'closed']), 'on the way')
  assert.equal(sideOf('FIN', ['reset', 'closed']), 'on the way')
  assert.equal(sideOf('FIN', []), 'on the way')
  assert.equal(sideOf('RST', ['reset', 'closed']), 'on the way')
  assert.equal(sideOf('RST', []), 'on the way')
  assert.equal(sideOf('RST', ['fin', 'ended', 'closed']), 'on the way')
})

test('a FIN that got no answer is told of the side where it, or its answer, was lost', () => {
  assert.equal(sideOf(undefined, [], 5), 'up')
  assert.equal(sideOf(undefined, ['fin'], 5), 'other end')
  assert.equal(sideOf(undefined, ['fin', 'ended', 'closed'], 5), 'down')
})
