/** The clock of the kernel's stamps, compared with that of the thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nowNs } from '../../vocabulary/clock.ts'
import { KernelClock } from './kernel-clock.ts'
import { loadLibc, type Libc } from './libc.ts'

const refusal = process.platform === 'linux' ? loadLibc() : 'the clock is read as on Linux'
const skip = typeof refusal === 'string' && refusal

/** How far the two clocks may seem apart, with what happens between two readings. */
const apartNs = 2e6

/** What the kernel would stamp now, by a clock that was set forward by so many seconds. */
function stamp(libc: Libc, shiftSeconds: number): [seconds: number, nanoseconds: number] {
  const words = new Uint32Array(4)
  libc.clock_gettime(0, new Uint8Array(words.buffer))
  return [words[0]! + shiftSeconds, words[2]!]
}

test('a stamp is an instant of the thread, also after the clock was set', { skip }, () => {
  const real = refusal as Libc
  let shiftSeconds = 0
  const set: Libc = {
    ...real,
    clock_gettime(_clock, time) {
      const bytes = time as Uint8Array
      const [seconds, nanoseconds] = stamp(real, shiftSeconds)
      new Uint32Array(bytes.buffer, bytes.byteOffset).set([seconds, 0, nanoseconds])
      return 0
    },
  }
  const clock = new KernelClock(set)
  const awayNs = () => {
    const [seconds, nanoseconds] = stamp(real, shiftSeconds)
    const control = Uint32Array.of(0, 0, 0, 0, seconds, 0, nanoseconds, 0)
    return Math.abs(clock.cameNs(control, 0, Infinity) - nowNs())
  }
  assert.ok(awayNs() < apartNs)
  clock.check()
  assert.ok(awayNs() < apartNs)
  shiftSeconds = 3_600
  assert.ok(awayNs() > 3_000e9)
  clock.check()
  assert.ok(awayNs() < apartNs)
})
