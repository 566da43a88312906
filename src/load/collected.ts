/** What a stream received from its first wrong byte on: enough bytes to find their origin. */

const enoughBytes = 262_144

export class Collected {
  readonly #pieces: Buffer[] = []
  #bytes = 0

  /** Adds received bytes; returns whether more are wanted. */
  add(bytes: Uint8Array, from: number, length: number): boolean {
    this.#pieces.push(Buffer.from(bytes.subarray(from, from + length)))
    this.#bytes += length
    return this.#bytes < enoughBytes
  }

  get all(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}
