import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nowNs } from '../../vocabulary/clock.ts'
import { openAlarm } from './alarm.ts'
import { loadLibc } from './libc.ts'

const refusal = process.platform === 'linux' ? loadLibc() : 'timerfd is part of Linux'
const skip = typeof refusal === 'string' && refusal

/** How late the alarm was each time. */
function opened() {
  const woken: (() => void)[] = []
  const alarm = openAlarm(() => woken.shift()!())!
  const next = () => new Promise<void>(resolve => woken.push(resolve))
  return { alarm, next, [Symbol.dispose]: () => alarm.close() }
}

test('an alarm wakes at each instant, and never before it', { skip }, async () => {
  using opening = opened()
  for (let n = 0; n < 50; n++) {
    const atNs = nowNs() + 300e3
    const woken = opening.next()
    opening.alarm.set(atNs)
    await woken
    assert.ok(nowNs() >= atNs, `${atNs - nowNs()} ns too early`)
  }
})

test(
  'an instant that was set before is forgotten, one that has passed is now',
  { skip },
  async () => {
    using opening = opened()
    opening.alarm.set(Infinity)
    opening.alarm.set(nowNs() + 3_600e9)
    const woken = opening.next()
    opening.alarm.set(nowNs() - 1e9)
    await woken
  },
)
