/** Pieces of a message, joined as they come, so that even a million are one piece of memory. */

/**
 * How much memory is allocated at first: at least this; and at most this for pieces that are still
 * to come.
 */
const leastBytes = 1024
const aheadMaxBytes = 256 * 1024

/** Free memory for the next message. Without it, each long message would leave garbage. */
let spare: Uint8Array | undefined

export class Joined {
  /** Only the first `length` bytes of it are in use. */
  bytes: Uint8Array = new Uint8Array(0)
  length = 0

  /**
   * @param expected the length of the frame to which the piece belongs
   * @param maxBytes the most bytes of all pieces
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

  /** Frees the memory: the message is not read any more. */
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
