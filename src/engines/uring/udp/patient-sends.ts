/** Copies of datagrams for which the system has no room now. Each is sent when there is room. */
import type { Libc, Mapping } from '../../os/libc.ts'
import { Arena } from '../memory.ts'
import { sendDatagramPatiently } from '../entries.ts'
import type { Ring } from '../ring.ts'

/** How many datagrams may wait in this process; the limit of the node engine is the same. */
const waitingMax = 1_024
const nameMaxBytes = 32

export class PatientSends {
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #nameBytes: number
  readonly #arena: Arena
  readonly #names: Mapping
  readonly #nameOf: Uint8Array
  /** The block in the arena of each datagram. */
  readonly #block = new Int32Array(waitingMax)
  readonly #free = Array.from({ length: waitingMax }, (_, n) => waitingMax - 1 - n)

  /** @param nameBytes how long the names of destinations are; 0 if sockets are connected */
  constructor(libc: Libc, ring: Ring, nameBytes: number) {
    this.#libc = libc
    this.#ring = ring
    this.#nameBytes = nameBytes
    this.#arena = new Arena(libc)
    this.#names = libc.map(waitingMax * nameMaxBytes)
    this.#nameOf = new Uint8Array(this.#names.memory)
  }

  get waiting(): number {
    return waitingMax - this.#free.length
  }

  /**
   * Keeps a datagram, and sends it. Returns false if too many wait.
   * @param name the sockaddr; empty if the socket is connected
   */
  send(slot: number, name: Uint8Array, datagram: Uint8Array): boolean {
    const at = this.#free.pop()
    if (at === undefined) return false
    const block = this.#arena.take()
    this.#block[at] = block
    this.#arena.write(block, 0, datagram)
    this.#nameOf.set(name, at * nameMaxBytes)
    sendDatagramPatiently(
      this.#ring,
      slot,
      this.#nameBytes === 0 ? 0 : this.#names.address + at * nameMaxBytes,
      this.#nameBytes,
      this.#arena.address(block),
      datagram.length,
      at,
    )
    return true
  }

  /** A datagram has been sent, or could not be sent. */
  onSent(at: number): void {
    this.#arena.give(this.#block[at]!)
    this.#free.push(at)
  }

  onTick(): void {
    this.#arena.trim()
  }

  /** To be called after the ring is closed. */
  close(): void {
    for (let at = 0; at < waitingMax; at++) if (!this.#free.includes(at)) this.onSent(at)
    this.#arena.trim()
    this.#libc.unmap(this.#names)
  }
}
