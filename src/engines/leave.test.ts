/** When a stopping server tells its clients, and what it does then: all of it, without a clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  closeWithinMs,
  isDrainOver,
  nextStep,
  partingOf,
  quietMs,
  mannerNames,
  type Parting,
  type Served,
  type DrainStep,
  type Unserved,
} from './leave.ts'

test('a connection is told when it is quiet, or late, and is cut when the drain is over', () => {
  const cases: [
    drainMs: number,
    leavingMs: number,
    quiet: boolean,
    told: boolean,
    step: DrainStep,
  ][] = [
    // It may still be sending.
    [5_000, 0, false, false, 'wait'],
    [5_000, 199, false, false, 'wait'],
    [5_000, 20, true, false, 'tell'],
    // It is never quiet.
    [5_000, 200, false, false, 'tell'],
    [100, 49, false, false, 'wait'],
    [100, 50, false, false, 'tell'],
    [Infinity, 200, false, false, 'tell'],
    // It has been told, and does not close.
    [5_000, 4_999, true, true, 'wait'],
    [5_000, 4_999, false, true, 'wait'],
    [5_000, 5_000, false, true, 'cut'],
    [5_000, 60_000, true, true, 'cut'],
    [Infinity, 1e12, true, true, 'wait'],
    // However short the drain, or late the look: first it is told.
    [0, 0, false, false, 'tell'],
    [0, 0, false, true, 'cut'],
    [10, 20, false, false, 'tell'],
    [5_000, 60_000, false, false, 'tell'],
  ]
  for (const [drainMs, leavingMs, isQuiet, isTold, step] of cases) {
    const time = { drainMs, leavingMs }
    assert.equal(nextStep(time, { isQuiet, isTold }), step, JSON.stringify([time, isQuiet, isTold]))
    assert.equal(isDrainOver(time), leavingMs >= drainMs)
  }
})

/** Looks at one connection at these distances, until it is cut. */
function looksAt(drainMs: number, looks: readonly { gapMs: number; isQuiet: boolean }[]) {
  let leavingMs = 0
  let isTold = false
  const steps: { step: DrainStep; atMs: number }[] = []
  for (const { gapMs, isQuiet } of looks) {
    leavingMs += gapMs
    const step = nextStep({ drainMs, leavingMs }, { isQuiet, isTold })
    steps.push({ step, atMs: leavingMs })
    if (step === 'tell') isTold = true
    if (step === 'cut') break
  }
  return steps
}

test('whatever comes when: it is told once and in time, then cut in time, and never before', () => {
  const look = fc.record({ gapMs: fc.integer({ min: 1, max: 3 * quietMs }), isQuiet: fc.boolean() })
  fc.assert(
    fc.property(fc.nat(1_000), fc.array(look, { maxLength: 120 }), (drainMs, looks) => {
      const steps = looksAt(drainMs, looks)
      const told = steps.findIndex(({ step }) => step === 'tell')
      const cut = steps.findIndex(({ step }) => step === 'cut')
      assert.ok(steps.filter(({ step }) => step === 'tell').length <= 1)
      assert.ok(cut === -1 || (told !== -1 && told < cut))
      const isDue = ({ atMs }: { atMs: number }) => atMs >= Math.min(200, drainMs / 2)
      const firstDue = steps.findIndex((each, n) => isDue(each) || looks[n]!.isQuiet)
      assert.equal(told, firstDue)
      const over = steps.findIndex(({ atMs }, n) => told !== -1 && n > told && atMs >= drainMs)
      assert.equal(cut, over)
    }),
  )
})

test('what is done depends on the stage of a connection, and on what is spoken on it', () => {
  const unserved: Record<Unserved, Parting> = { queued: 'cut', silent: 'cut', handshake: 'later' }
  const served: Record<string, Record<Served, Parting>> = {
    bytes: { open: 'end', answering: 'later', told: 'later', over: 'end' },
    tls: { open: 'announce', answering: 'announce', told: 'later', over: 'end' },
    ws: { open: 'announce', answering: 'announce', told: 'later', over: 'end' },
    http1: { open: 'end', answering: 'announce', told: 'later', over: 'end' },
    http2: { open: 'announce', answering: 'announce', told: 'later', over: 'end' },
  }
  assert.deepEqual(Object.keys(served), mannerNames)
  for (const [stage, parting] of Object.entries(unserved)) {
    assert.equal(partingOf(stage as Unserved), parting)
    for (const manner of mannerNames) assert.equal(partingOf(stage as Unserved, manner), parting)
  }
  for (const manner of mannerNames)
    for (const [stage, parting] of Object.entries(served[manner]!))
      assert.equal(partingOf(stage as Served, manner), parting, `${manner} ${stage}`)
  // Nothing that a client said is thrown away: only what has said nothing is closed at once.
  for (const manner of mannerNames)
    for (const stage of ['open', 'answering', 'told', 'over'] as const)
      assert.notEqual(partingOf(stage, manner), 'cut')
})

test('after the last word of a protocol a client has as long as for the drain, or a second', () => {
  assert.deepEqual([0, 999, 1_000, 5_000].map(closeWithinMs), [1_000, 1_000, 1_000, 5_000])
})
