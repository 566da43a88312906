/** Keeps a stream full of what a sender makes, or writes it by a rate, with bounded memory. */
import type { Duplex } from 'node:stream'
import type { Outlet, Sender } from '../../../load/direction/sender.ts'

/** In one turn of the loop: there may be others that have to be heard. */
const writesPerTurn = 4
/** Nothing is written while more than this is unsent; what is written at a time comes on top. */
const unsentMaxBytes = 512 * 1024

export class Pump implements Outlet {
  readonly #stream: Duplex
  readonly #sender: Sender
  readonly #onBytes: (bytes: number) => void
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #begun = false
  #ended = false

  constructor(stream: Duplex, sender: Sender, onBytes: (bytes: number) => void) {
    this.#stream = stream
    this.#sender = sender
    this.#onBytes = onBytes
  }

  /** Of payload, as far as it was written to the stream. */
  get sentBytes(): number {
    return this.#sender.bytes
  }

  /** Once; a second time does nothing. */
  begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#stream.on('drain', this.#fill)
    this.#fill()
  }

  readonly #fill = (): void => {
    this.#cancel()
    for (let writes = 0; !this.#ended && !this.#stream.destroyed; writes++) {
      // `drain` follows, since there is more unsent than the stream itself wants to have.
      if (this.#stream.writableLength > unsentMaxBytes) return
      const now = performance.now()
      const dueMs = this.#sender.send(this, now)
      if (dueMs !== undefined && dueMs > now) {
        this.#timer = setTimeout(this.#fill, dueMs - now)
        return
      }
      if (writes === writesPerTurn) {
        this.#immediate = setImmediate(this.#fill)
        return
      }
    }
  }

  #cancel() {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  write(pieces: readonly Buffer[], _payloadBytes: number): void {
    let bytes = 0
    this.#stream.cork()
    for (const piece of pieces) {
      this.#stream.write(piece)
      bytes += piece.length
    }
    this.#stream.uncork()
    this.#onBytes(bytes)
  }

  end(): void {
    this.#ended = true
    this.#cancel()
    this.#stream.off('drain', this.#fill)
  }
}
