/**
 * What a layer inside TLS can do with a connection: its bytes are encrypted before they are sent.
 */
import type { Libc, Mapping } from '../../os/libc.ts'
import type { Wire } from '../layer.ts'
import type { FailureName } from '../../../metrics/meter.ts'

/**
 * Encrypts.
 * @param isLast whether the records are sent now, since nothing else follows
 */
type Write = (slot: number, address: number, length: number, isLast: boolean) => void

/** How much is copied and encrypted together. */
const pieceBytes = 65_536

export class WireInside implements Wire {
  readonly #libc: Libc
  readonly #plainAddress: number
  readonly #write: Write
  readonly #below: () => Wire
  /** Memory for bytes without an address. */
  readonly #copy: Mapping
  readonly #copyBytes: Uint8Array

  /**
   * @param plainAddress where the layer finds the content of the records
   * @param below the wire that the records go over
   */
  constructor(libc: Libc, plainAddress: number, write: Write, below: () => Wire) {
    this.#libc = libc
    this.#plainAddress = plainAddress
    this.#write = write
    this.#below = below
    this.#copy = libc.map(pieceBytes)
    this.#copyBytes = new Uint8Array(this.#copy.memory)
  }

  send(slot: number, at: number, length: number): void {
    this.#write(slot, this.#plainAddress + at, length, false)
  }

  sendBytes(slot: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      this.#copyBytes.set(piece)
      this.#write(slot, this.#copy.address, piece.length, true)
    }
  }

  leave(slot: number, reason?: FailureName): void {
    this.#below().leave(slot, reason)
  }

  end(slot: number, reason?: FailureName): void {
    this.#below().end(slot, reason)
  }

  refuse(slot: number, reason: FailureName): void {
    this.#below().refuse(slot, reason)
  }

  later(slot: number): void {
    this.#below().later(slot)
  }

  close(): void {
    this.#libc.unmap(this.#copy)
  }
}
