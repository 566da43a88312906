/**
 * Wakes Node's event loop at an instant (timerfd_create(2)). Node's own timers count whole
 * milliseconds, so that without it a thread could only stay awake to be on time.
 */
import { Socket, type SocketConstructorOpts } from 'node:net'
import { sharedOffsetNs } from '../../vocabulary/clock.ts'
import { timerMaxMs } from '../../vocabulary/units.ts'
import { CLOCK_MONOTONIC, O_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME } from './kernel-numbers.ts'
import { libcOf64Bits, type Libc } from './libc.ts'

export interface Alarm {
  /**
   * Sets when the alarm wakes the loop, on the clock of this thread. This replaces the instant that
   * was set before.
   */
  set(atNs: number): void
  close(): void
}

/**
 * Opens an alarm; undefined if that is not possible. It needs Linux, FFI, and a free descriptor.
 * @param onAlarm called at the instant; it may also be called for an earlier instant that was
 * replaced
 */
export function openAlarm(onAlarm: () => void): Alarm | undefined {
  const libc = libcOf64Bits()
  if (!libc) return undefined
  const timer = libc.timerfd_create(CLOCK_MONOTONIC, O_CLOEXEC | TFD_NONBLOCK)
  if (timer < 0) return undefined
  const fd = readEnd(libc)
  // A read returns 8 bytes: how often the timer has expired.
  const onread = { buffer: new Uint8Array(8), callback: () => (onAlarm(), true) }
  const socket =
    fd < 0 ? undefined : new Socket({ fd, writable: false, onread } as SocketConstructorOpts)
  // Node believes that the descriptor is a pipe. It has not read from it yet, so the timer can
  // still be put in its place.
  const isTimer = socket !== undefined && libc.dup3(timer, fd, O_CLOEXEC) === fd
  libc.close(timer)
  if (!isTimer) {
    socket?.destroy()
    return undefined
  }
  const words = new Uint32Array(8)
  const value = new Uint8Array(words.buffer)
  const offsetNs = sharedOffsetNs()
  return {
    set(atNs) {
      const mostNs = performance.now() * 1e6 + timerMaxMs * 1e6
      // An instant of 0 would disarm the timer.
      const at = Math.max(1, Math.min(atNs, mostNs) + offsetNs)
      words[4] = at / 1e9
      words[6] = at % 1e9
      libc.timerfd_settime(fd, TFD_TIMER_ABSTIME, value, null)
    },
    close: () => void socket.destroy(),
  }
}

/** The descriptor of a pipe without a writer; negative if there is no descriptor left. */
function readEnd(libc: Libc): number {
  const ends = new Int32Array(2)
  if (libc.pipe2(new Uint8Array(ends.buffer), O_CLOEXEC) < 0) return -1
  libc.close(ends[1]!)
  return ends[0]!
}
