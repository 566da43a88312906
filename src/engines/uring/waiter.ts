/** How a thread waits for its ring: asleep, polling for a short time, or for a batch. */
import type { Libc, Mapping } from '../os/libc.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'

/** From this many sends in the last turn on, it pays to wait for more than one completion. */
const manySends = 8
/** The most completions to wait for, and the longest time. */
const batchMax = 32
const batchUs = 50
/** After this many polls without success, polling is tried only now and then. */
const vainMax = 8
const retryTurns = 64
/** Tries between two looks at the clock. */
const triesPerLook = 32

const { GETEVENTS, EXT_ARG } = k.enter

export class Waiter {
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #busyPollUs: number
  /** io_uring_getevents_arg at 0 (24 bytes), the timespec of the ticks at 64. */
  readonly #argument: Mapping
  readonly #timespec: Uint32Array
  #inVain = 0
  #turns = 0
  #ticking = false

  /** @param busyPollUs how long to poll before going to sleep; 0: not at all */
  constructor(libc: Libc, ring: Ring, busyPollUs: number) {
    this.#libc = libc
    this.#ring = ring
    this.#busyPollUs = busyPollUs
    this.#argument = libc.map(4096)
    const words = new Uint32Array(this.#argument.memory)
    // min_wait_usec: wait this long for a whole batch, then for one completion (since 6.12).
    words[3] = batchUs
    this.#timespec = words.subarray(16, 20)
  }

  /** From now on a timeout of the ring completes at this interval, in milliseconds. */
  startTicks(everyMs: number): void {
    // A multishot timeout keeps its interval: cancel it, and onTick starts the new one.
    if (this.#ticking) entries.cancel(this.#ring, tag(kind.TICK))
    this.#timespec[2] = everyMs * 1e6
    if (!this.#ticking) this.#tick()
  }

  #tick(): void {
    this.#ticking = true
    entries.tick(this.#ring, this.#argument.address + 64)
  }

  onTick(flags: number): void {
    if (!(flags & k.cqe.MORE)) this.#tick()
  }

  /**
   * Submits the turn, and waits: for one completion under little load, for a batch under much.
   * @param mayLook whether to poll before going to sleep, if --busy-poll is on
   */
  wait(how: 'not at all' | number, mayLook: boolean): void {
    const ring = this.#ring
    if (how === 'not at all') return ring.enter(0, GETEVENTS)
    if (how >= manySends) {
      const wanted = Math.min(how, batchMax)
      return ring.enter(wanted, GETEVENTS | EXT_ARG, this.#argument.address, 24)
    }
    if (mayLook && this.#busyPollUs > 0 && this.#looksWorthwhile()) {
      ring.enter(0, GETEVENTS)
      if (ring.hasCompletions || this.#look()) return
    }
    ring.enter(1, GETEVENTS)
  }

  /** Does not poll if the last polls found nothing, so that an idle server sleeps. */
  #looksWorthwhile(): boolean {
    return this.#inVain < vainMax || ++this.#turns % retryTurns === 0
  }

  /** Polls: looks for completions in shared memory, without a system call, for a bounded time. */
  #look(): boolean {
    const ring = this.#ring
    const endMs = performance.now() + this.#busyPollUs / 1000
    do {
      for (let n = 0; n < triesPerLook; n++) {
        const flags = Atomics.load(ring.words, ring.sqFlags)
        if (flags !== 0) ring.enter(0, GETEVENTS)
        if (flags === 0 && !ring.hasCompletions) continue
        this.#inVain = 0
        return true
      }
    } while (performance.now() < endMs)
    this.#inVain++
    return false
  }

  close(): void {
    this.#libc.unmap(this.#argument)
  }
}
