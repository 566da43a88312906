/** Keeps a stream full of what a sender makes, or writes it by a rate, with bounded memory. */
import type { Duplex } from 'node:stream'
import type { Outlet, Sender } from '../../../load/direction/sender.ts'
import { Pause } from '../core/pause.ts'
import type { PagedOutlet } from './paged.ts'

/** How many writes one turn of the loop makes: other connections need their turns, too. */
const writesPerTurn = 4
/**
 * Nothing is written while more than this is unsent. So the most that is unsent is this and one
 * write.
 */
const flowUnsentMaxBytes = 512 * 1024
/**
 * If the system took less than this since the last pause, there is no pause: the buffer of the
 * system would be empty before its end. This is so with a unix socket, and on a slow path.
 */
const pauseFromBytes = 256 * 1024
const nothing = Buffer.alloc(0)

interface Options {
  /** Sends without copying; undefined if the system cannot do that. */
  paged: PagedOutlet | undefined
  onBytes: (bytes: number) => void
}

export class Pump implements Outlet {
  readonly #stream: Duplex
  readonly #sender: Sender
  readonly #onBytes: (bytes: number) => void
  #paged: PagedOutlet | undefined
  #pause: Pause | undefined
  /** What the system has taken since the last pause. */
  #poured = 0
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #begun = false
  #ended = false
  /** Whether a callback waits until all unsent bytes have left. */
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
    if (this.#paged && !this.#ended) this.#pause = Pause.join()
    this.#stream.on('drain', this.#fill)
    this.#fill()
  }

  readonly #fill = (): void => {
    this.#cancel()
    for (let writes = 0; !this.#ended && !this.#stream.destroyed; writes++) {
      if (this.#isFull()) return
      if (this.#paged) {
        if (this.#pour(this.#paged)) return
      } else {
        const now = performance.now()
        const dueMs = this.#sender.send(this, now)
        if (dueMs !== undefined && dueMs > now) {
          this.#timer = setTimeout(this.#fill, dueMs - now)
          return
        }
      }
      if (writes === writesPerTurn) {
        this.#immediate = setImmediate(this.#fill)
        return
      }
    }
  }

  /** @returns whether it goes on after a pause */
  #pour(paged: PagedOutlet): boolean {
    const { taken, isFull } = paged.pour()
    this.#onBytes(taken)
    this.#poured += taken
    if (!isFull) return false
    // During the pause many bytes leave; then the buffer is filled at once. To wake for each piece
    // costs more.
    const isPausing = this.#poured >= pauseFromBytes
    this.#poured = 0
    if (isPausing && this.#pause && !paged.isBroken) {
      this.#pause.begin(this.#fill)
      return true
    }
    // The path is slow. The stream writes the next frame; its callback says when there is room.
    this.#copyNext(paged.takeCut())
    if (paged.isBroken) this.#paged = undefined
    return false
  }

  /** Whether some of the unsent bytes must leave first; then #fill is called again. */
  #isFull(): boolean {
    const { writableLength } = this.#stream
    // `drain` will follow, since more is unsent than the high-water mark of the stream.
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

  write(pieces: readonly Buffer[]): void {
    this.#stream.cork()
    for (const piece of pieces) {
      this.#onBytes(piece.length)
      this.#stream.write(piece)
    }
    this.#stream.uncork()
  }

  /** Writes the next frame without its first bytes to the stream; this copies them. */
  #copyNext(cutBytes: number) {
    let at = 0
    const left: Buffer[] = []
    for (const piece of this.#sender.next()) {
      const from = Math.max(0, cutBytes - at)
      if (from < piece.length) left.push(piece.subarray(from))
      at += piece.length
    }
    this.write(left)
  }

  /** To be called before anything else is written to the stream: it must not cut a frame. */
  flush(): void {
    const cutBytes = this.#paged?.takeCut() ?? 0
    if (cutBytes > 0 && !this.#stream.destroyed) this.#copyNext(cutBytes)
  }

  end(): void {
    if (this.#ended) return
    this.flush()
    this.#ended = true
    this.#cancel()
    this.#pause?.leave()
    this.#stream.off('drain', this.#fill)
  }
}
