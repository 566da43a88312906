import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unended } from './http-exchange.ts'

const body = Buffer.from('all of it')
const answer = (status: number, came: Buffer, isWhole: boolean) => ({
  head: { version: '1.1', status, reason: '', headers: [] } as never,
  body: came,
  trailers: [],
  isWhole,
  bodyMs: 1,
  error: undefined,
})
const named = (...of: Parameters<typeof answer>) => unended(answer(...of), body, [])?.name

test('an answer that has all bytes and does not end is not whole', () => {
  assert.equal(named(200, body, false), 'endless')
  assert.equal(named(200, body, true), undefined)
  // These are other findings.
  assert.equal(named(200, body.subarray(1), false), undefined)
  assert.equal(named(500, body, false), undefined)
})
