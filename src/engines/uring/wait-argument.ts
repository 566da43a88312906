/** How long io_uring_enter(2) waits: an io_uring_getevents_arg in fixed memory. */
import type { Libc, Mapping } from '../os/libc.ts'

export class WaitArgument {
  /** sigmask 8, its size 4, min_wait_usec 4, address of the timespec 8. */
  static readonly bytes = 24
  readonly #libc: Libc
  readonly #mapping: Mapping
  readonly #words: Uint32Array

  constructor(libc: Libc) {
    this.#libc = libc
    this.#mapping = libc.map(4096)
    this.#words = new Uint32Array(this.#mapping.memory)
    const timespec = this.#mapping.address + 64
    this.#words[4] = timespec % 2 ** 32
    this.#words[5] = timespec / 2 ** 32
  }

  get address(): number {
    return this.#mapping.address
  }

  /**
   * @param ns the longest wait
   * @param batchUs how long to wait for all requested completions; after that one is enough
   */
  set(ns: number, batchUs = 0): void {
    const words = this.#words
    words[3] = batchUs
    words[16] = ns / 1e9
    words[18] = ns % 1e9
  }

  close(): void {
    this.#libc.unmap(this.#mapping)
  }
}
