import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evenly } from './pacer.ts'

const seconds = 1e9

test('messages that are due by an instant', () => {
  const rows: [ratePerSecond: number, elapsedNs: number, due: number][] = [
    // The first is due at once, and nothing is due before the start.
    [10, 0, 1],
    [10, -1, 0],
    [10, 0.1 * seconds - 1, 1],
    [10, 0.1 * seconds, 2],
    [10, 1 * seconds, 11],
    // Slower than one a second, and faster than a clock tick.
    [0.5, 1.9 * seconds, 1],
    [0.5, 2 * seconds, 2],
    [1e6, 1 * seconds, 1_000_001],
    [1e9, 1, 2],
    // What was missed while the program could not look is all due.
    [1000, 3600 * seconds, 3_600_001],
  ]
  for (const [rate, elapsedNs, due] of rows)
    assert.equal(evenly(rate).due(elapsedNs), due, `${rate}/s after ${elapsedNs} ns`)
})

test('planned instants are evenly spaced, and do not drift', () => {
  const rows: [ratePerSecond: number, n: number, plannedNs: number][] = [
    [10, 0, 0],
    [10, 1, 0.1 * seconds],
    [10, 36_000, 3600 * seconds],
    [0.5, 3, 6 * seconds],
    [3, 3_000_000, 1_000_000 * seconds],
  ]
  for (const [rate, n, plannedNs] of rows) {
    const difference = Math.abs(evenly(rate).plannedNs(n) - plannedNs)
    assert.ok(difference < 1, `message ${n} at ${rate}/s is ${difference} ns off`)
  }
})

test('a message is due at its planned instant, within a nanosecond', () => {
  for (const rate of [0.3, 1, 7, 1000, 12_345.678, 1e6]) {
    const pacer = evenly(rate)
    for (let n = 0; n < 10_000; n += 37) {
      const plannedNs = pacer.plannedNs(n)
      assert.ok(pacer.due(plannedNs + 1) > n, `message ${n} at ${rate}/s is late`)
      assert.ok(pacer.due(plannedNs - 1) <= n, `message ${n} at ${rate}/s is early`)
    }
  }
})
