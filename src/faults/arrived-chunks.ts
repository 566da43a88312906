/** The queue of chunks that are not echoed yet: bounded, with the time at which each chunk came. */
import type { Chunk, MessageType } from './fault.ts'

/**
 * When this many bytes wait, nothing more is read until half of them is gone. So a delay limits the
 * rate: to 20 MB/s at 50 ms.
 */
export const heldMaxBytes = 2 ** 20
/** What a chunk costs besides its bytes, so that a million single bytes are bounded too. */
const chunkBytes = 256

/** The source of the chunks: it can be paused. */
export interface Pausable {
  pause(): unknown
  resume(): unknown
}

export class ArrivedChunks {
  readonly #source: Pausable
  readonly #queue: Chunk[] = []
  #heldBytes = 0
  #paused = false
  #ended = false
  #interrupted = false
  #wake = () => {}

  constructor(source: Pausable) {
    this.#source = source
  }

  /**
   * @param message what is known of the message, on a transport with messages; `data` is all of it
   */
  push(data: Uint8Array, message?: MessageType): void {
    this.#queue.push({ data, at: performance.now(), message })
    this.#heldBytes += data.length + chunkBytes
    if (!this.#paused && this.#heldBytes > heldMaxBytes) {
      this.#paused = true
      this.#source.pause()
    }
    this.#wake()
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Ends the present reader. What has arrived stays, for the next reader. */
  interrupt(): void {
    this.#interrupted = true
    this.#wake()
  }

  /**
   * Yields the chunks that wait, and those that come, until the end or an interruption. There is
   * one reader at a time. Call this before the chain of the reader begins: a fault that hangs may
   * be interrupted before it has asked for a chunk.
   */
  read(): AsyncIterable<Chunk> {
    this.#interrupted = false
    return this.#take()
  }

  async *#take() {
    while (!this.#interrupted) {
      const chunk = this.#queue.shift()
      if (chunk) {
        this.#heldBytes -= chunk.data.length + chunkBytes
        if (this.#paused && this.#heldBytes < heldMaxBytes / 2) {
          this.#paused = false
          this.#source.resume()
        }
        yield chunk
      } else if (this.#ended) return
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}
