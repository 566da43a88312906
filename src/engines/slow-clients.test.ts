/** Which clients are too slow, in scans. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idleScans, isEarly, isIdle, isSlow, scanMs } from './slow-clients.ts'

test('a client has a second for its first message, and three for its answers', () => {
  assert.deepEqual([4 * scanMs, 12 * scanMs], [1_000, 3_000])
  for (let scans = 0; scans <= 20; scans++) {
    assert.equal(isSlow(scans, false), scans > 4)
    assert.equal(isSlow(scans, true), scans > 12)
    // What is early is slow in neither case.
    assert.equal(isEarly(scans), !isSlow(scans, false) && !isSlow(scans, true))
  }
})

test('a connection is idle after a whole timeout, and a quarter of it later at most', () => {
  assert.equal(isIdle(idleScans - 1), false)
  assert.equal(isIdle(idleScans), true)
  assert.equal(1 / idleScans, 0.25)
})
