/** Bytes that were sent and must come back: for messages that cannot be computed again. */

export class ExpectedBytes {
  readonly #chunks: Buffer[] = []
  /** Bytes of the first chunk that have come back already. */
  #matched = 0
  /** How many bytes were sent, and how many of them came back right. */
  sentBytes = 0
  returnedBytes = 0

  /** Bytes in flight. */
  get missingBytes(): number {
    return this.sentBytes - this.returnedBytes
  }

  sent(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk)
    this.sentBytes += chunk.length
  }

  /**
   * Takes received bytes. Returns the index of the first byte that differs from what was sent, or
   * that is beyond what was sent; -1 if all are right.
   */
  firstWrong(received: Buffer): number {
    for (let at = 0; at < received.length;) {
      const first = this.#chunks[0]
      if (!first) return at
      const length = Math.min(first.length - this.#matched, received.length - at)
      const end = this.#matched + length
      if (first.compare(received, at, at + length, this.#matched, end) !== 0) {
        let index = 0
        while (first[this.#matched + index] === received[at + index]) index++
        this.returnedBytes += index
        this.#matched += index
        return at + index
      }
      this.returnedBytes += length
      at += length
      this.#matched = end
      if (end < first.length) continue
      this.#chunks.shift()
      this.#matched = 0
    }
    return -1
  }

  /** The next byte that must come back; undefined if nothing is in flight. */
  get next(): number | undefined {
    return this.#chunks[0]?.[this.#matched]
  }
}
