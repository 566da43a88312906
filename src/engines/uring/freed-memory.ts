/** Returns freed memory to the system; most of it was used by the JavaScript compiler. */
import { counter, type Meter } from '../../metrics/meter.ts'
import type { Libc } from '../os/libc.ts'

/**
 * The compiler takes blocks of 8 KiB and more, on several threads, each with a heap of its own.
 * Blocks that are mapped one by one go back to the system when the compiler is done. Within a heap,
 * small blocks that are in use would keep freed blocks beside them from going back.
 */
const mapFromBytes = 8192
/**
 * With TLS, handshakes take and free blocks all the time: this much is kept until the server is
 * idle.
 */
const keptBytes = 32 * 2 ** 20
/** How many ticks without traffic count as idle. */
const quietTicks = 3
/** The shortest time between two returns: one takes 0.1 to 0.4 ms. */
const atMostEveryMs = 500

export class FreedMemory {
  readonly #libc: Libc
  readonly #counters: Float64Array
  #seen = 0
  #quiet = 0
  /** The memory in use after the last return, and when that was. */
  #doneAt = 0
  #doneMs = 0

  /** @param isBusy whether the server itself takes and frees large blocks */
  constructor(libc: Libc, meter: Meter, isBusy: boolean) {
    this.#libc = libc
    this.#counters = meter.counters
    if (isBusy) libc.keepFreed(keptBytes)
    else libc.mapFrom(mapFromBytes)
  }

  /** Memory was freed although nothing was opened, closed or received. */
  noteFreed(): void {
    this.#doneAt = -1
  }

  onTick(nowMs: number): void {
    const counters = this.#counters
    const seen = counters[counter.opened]! + counters[counter.closed]! + counters[counter.chunks]!
    this.#quiet = seen === this.#seen ? this.#quiet + 1 : 0
    this.#seen = seen
    if (seen === this.#doneAt || this.#quiet < quietTicks) return
    if (nowMs < this.#doneMs + atMostEveryMs) return
    this.#libc.trimFreed()
    this.#doneAt = seen
    this.#doneMs = nowMs
  }
}
