/** Keeps a stream full of what a sender makes, or writes it by a rate, with bounded memory. */
import type { Duplex } from 'node:stream'
import type { Outlet, Sender } from '../../../load/direction/sender.ts'
import type { PagedOutlet } from './paged.ts'

/** How many writes one turn of the loop makes: other connections need their turns, too. */
const writesPerTurn = 4
/** Nothing is written while more than this is unsent; what is written at a time comes on top. */
const flowUnsentMaxBytes = 512 * 1024
const nothing = Buffer.alloc(0)

interface Options {
  /** If the system can do it: takes what the system takes at once, without copying it. */
  paged: PagedOutlet | undefined
  onBytes: (bytes: number) => void
}

export class Pump implements Outlet {
  readonly #stream: Duplex
  readonly #sender: Sender
  readonly #onBytes: (bytes: number) => void
  #paged: PagedOutlet | undefined
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #begun = false
  #ended = false
  /** A callback waits until what is unsent has left. */
  #awaits = false

  constructor(stream: Duplex, sender: Sender, { paged, onBytes }: Options) {
    this.#stream = stream
    this.#sender = sender
    this.#paged = paged
    this.#onBytes = onBytes
  }

  /** Bytes of payload that were written to the stream. */
  get sentBytes(): number {
    return this.#sender.bytes
  }

  /** Begins once; a second call does nothing. */
  begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#stream.on('drain', this.#fill)
    this.#fill()
  }

  readonly #fill = (): void => {
    this.#cancel()
    for (let writes = 0; !this.#ended && !this.#stream.destroyed; writes++) {
      if (this.#isFull()) return
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

  /** Whether some of the unsent bytes must leave first; then #fill is called again. */
  #isFull(): boolean {
    const { writableLength } = this.#stream
    // `drain` follows, since there is more unsent than the stream itself wants to have.
    if (!this.#paged) return writableLength > flowUnsentMaxBytes
    if (writableLength === 0) return false
    if (this.#awaits) return true
    this.#awaits = true
    // With so few bytes unsent no `drain` follows.
    this.#stream.write(nothing, () => {
      this.#awaits = false
      this.#fill()
    })
    return true
  }

  #cancel() {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  write(pieces: readonly Buffer[], frames: number): number {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    const taken = this.#paged?.write(pieces) ?? 0
    // The system has no more room. The next frame is written by the stream, whose callback says
    // when there is room again.
    const whole = this.#paged ? Math.floor((taken * frames) / bytes) + 1 : frames
    const untilBytes = Math.min(bytes, (bytes / frames) * whole)
    this.#onBytes(untilBytes)
    if (taken < bytes) this.#copy(pieces, taken, untilBytes)
    if (this.#paged?.isBroken) this.#paged = undefined
    return Math.max(0, frames - whole)
  }

  /** Writes to the stream as usual; this copies the bytes. */
  #copy(pieces: readonly Buffer[], fromBytes: number, untilBytes: number) {
    this.#stream.cork()
    let at = 0
    for (const piece of pieces) {
      const from = Math.max(0, fromBytes - at)
      const until = Math.min(piece.length, untilBytes - at)
      if (from < until) this.#stream.write(piece.subarray(from, until))
      at += piece.length
    }
    this.#stream.uncork()
  }

  end(): void {
    this.#ended = true
    this.#cancel()
    this.#stream.off('drain', this.#fill)
  }
}
