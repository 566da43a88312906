/**
 * Converts the kernel's stamps to the clock of this thread. The kernel stamps what arrives
 * (SO_TIMESTAMPNS, socket(7)) by CLOCK_REALTIME, and nowNs() is CLOCK_MONOTONIC. The difference of
 * the two changes only when the clock of the system is set.
 */
import { nowNs } from '../../vocabulary/clock.ts'
import { CLOCK_REALTIME, SOL_SOCKET, SO_TIMESTAMPNS } from './kernel-numbers.ts'
import { checked, type Libc } from './libc.ts'

/** A control message with a stamp: cmsghdr 16 (length 8, level 4, type 4), timespec 16. */
export const stampControlBytes = 32

/** Whether the control message that begins at a word of memory is a stamp. */
export const isStamp = (words: Int32Array | Uint32Array, word: number): boolean =>
  words[word + 2] === SOL_SOCKET && words[word + 3] === SO_TIMESTAMPNS

/** How often both clocks are read in a row. The reading that took the least time counts. */
const looks = 9
/** If the offset changes by more than this and the error of a reading, the clock was set. */
const setByNs = 20e3

export class KernelClock {
  readonly #libc: Libc
  /** timespec: seconds 8, nanoseconds 8. */
  readonly #words = new Uint32Array(4)
  readonly #bytes = new Uint8Array(this.#words.buffer)
  /** Seconds are counted from here: all of them in nanoseconds would not fit into a number. */
  #baseSeconds = 0
  /**
   * Add this to a stamp (counted from the base) to get the clock of this thread, in nanoseconds.
   */
  #offsetNs = 0

  constructor(libc: Libc) {
    this.#libc = libc
    this.#measure()
  }

  /**
   * When the kernel received something, on the clock of this thread; `now` if the stamp is
   * impossible because the clock was set.
   * @param word where the control message begins
   */
  cameNs(words: Int32Array | Uint32Array, word: number, now: number): number {
    // timespec: seconds 8, nanoseconds 8.
    const seconds = (words[word + 4]! >>> 0) + words[word + 5]! * 2 ** 32
    const instantNs = (seconds - this.#baseSeconds) * 1e9 + words[word + 6]! + this.#offsetNs
    return Math.min(now, instantNs)
  }

  /** To be called several times a second: notices that the clock was set. */
  check(): void {
    const { offsetNs, wrongNs } = this.#look()
    if (Math.abs(offsetNs - this.#offsetNs) > wrongNs + setByNs) this.#measure()
  }

  #measure(): void {
    this.#read()
    this.#baseSeconds = this.#words[0]!
    let best = this.#look()
    for (let n = 1; n < looks; n++) {
      const look = this.#look()
      if (look.wrongNs < best.wrongNs) best = look
    }
    this.#offsetNs = best.offsetNs
  }

  /** @returns the offset, and by how much it may be wrong */
  #look(): { offsetNs: number; wrongNs: number } {
    const before = nowNs()
    this.#read()
    const wrongNs = (nowNs() - before) / 2
    const [seconds, , nanoseconds] = this.#words
    const stampNs = (seconds! - this.#baseSeconds) * 1e9 + nanoseconds!
    return { offsetNs: before + wrongNs - stampNs, wrongNs }
  }

  #read(): void {
    checked(this.#libc, this.#libc.clock_gettime(CLOCK_REALTIME, this.#bytes))
  }
}
