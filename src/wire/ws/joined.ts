/** Pieces of a message, joined as they come, so that even a million are one piece of memory. */

/** What the first piece gets at least, and at most for those that are still to come. */
const leastBytes = 1024
const aheadMaxBytes = 256 * 1024

/** Memory that is free, for the next message: without it each long one leaves garbage. */
let spare: Uint8Array | undefined

export class Joined {
  /** Only the first `length` bytes of it are in use. */
  bytes: Uint8Array = new Uint8Array(0)
  length = 0

  /**
   * @param expected how long the frame is of which this is a piece
   * @param maxBytes how much there can be in all
   */
  add(piece: Uint8Array, expected: number, maxBytes: number): void {
    const needed = this.length + piece.length
    if (needed > this.bytes.length) this.#grow(needed, Math.min(expected, aheadMaxBytes), maxBytes)
    this.bytes.set(piece, this.length)
    this.length = needed
  }

  #grow(needed: number, expected: number, maxBytes: number): void {
    const wanted = Math.max(leastBytes, expected, 2 * this.bytes.length)
    const grown = takeMemory(Math.max(needed, Math.min(maxBytes, wanted)))
    grown.set(this.bytes.subarray(0, this.length))
    this.free()
    this.bytes = grown
  }

  /** It is not read any more. */
  free(): void {
    const { bytes } = this
    if (bytes.length <= aheadMaxBytes && bytes.length > (spare?.length ?? 0)) spare = bytes
    this.bytes = new Uint8Array(0)
  }
}

function takeMemory(sizeBytes: number): Uint8Array {
  const taken = spare
  if (taken === undefined || taken.length < sizeBytes) return Buffer.allocUnsafeSlow(sizeBytes)
  spare = undefined
  return taken
}
