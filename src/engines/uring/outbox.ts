/**
 * Memory for records until the kernel has taken them: a half for the sends of this turn, and a half
 * for those of the last one, whose results are not known yet.
 */
import type { Libc, Mapping } from '../os/libc.ts'
import type { SendMemory } from './layer.ts'

/** As much as a turn receives, and the same for the answers of handshakes. */
const halfBytes = 2 ** 20
/** The size of the spare: bytes that do not fit into the half are put there, and copied at once. */
const spareBytes = 65_536
/** With less room than this the spare is used. */
const littleBytes = 32_768

export class Outbox implements SendMemory {
  readonly address: number
  readonly bytes: Uint8Array
  readonly #libc: Libc
  readonly #mapping: Mapping
  #half = 0
  #used = 0

  constructor(libc: Libc) {
    this.#libc = libc
    this.#mapping = libc.map(2 * halfBytes + spareBytes)
    this.address = this.#mapping.address
    this.bytes = new Uint8Array(this.#mapping.memory)
  }

  /** Whether bytes that are put at `at` stay there until the sends of this turn are known. */
  get stays(): boolean {
    return halfBytes - this.#used >= littleBytes
  }

  /** Where the next bytes can be put. */
  get at(): number {
    return this.stays ? this.#half * halfBytes + this.#used : 2 * halfBytes
  }

  /** How much room there is at `at`. */
  get room(): number {
    return this.stays ? halfBytes - this.#used : spareBytes
  }

  /** `length` bytes were put there, and stay. */
  use(length: number): void {
    this.#used += length
  }

  endTurn(): void {
    this.#half = 1 - this.#half
    this.#used = 0
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.#libc.unmap(this.#mapping)
  }
}
