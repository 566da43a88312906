/** Makes the frames of payload that go in one direction: as fast as there is room, or by a rate. */
import { frameHead, frameKinds } from '../../wire/direction/frames.ts'
import { expected, type Payload } from '../payload.ts'

/** How many bytes are written at a time, if there is no rate. */
const burstBytes = 512 * 1024
/**
 * After a late timer the sender makes up for at most this time; otherwise a pause would become a
 * burst.
 */
const owedMaxMs = 100

export interface SenderOptions {
  /** Bytes of payload in each frame. */
  sizeBytes: number
  /** Frames a second; undefined: as many as there is room for. */
  ratePerSecond: number | undefined
}

/** Where frames go. */
export interface Outlet {
  /** Takes the pieces of frames, which are to be written together. */
  write(pieces: readonly Buffer[]): void
}

export class Sender {
  readonly payload: Payload
  readonly flow: number
  /** The header of each frame. */
  readonly head: Buffer
  readonly sizeBytes: number
  readonly #ratePerSecond: number | undefined
  #bytes = 0
  /** With a rate: an instant, and how many frames were due (sent or skipped) since then. */
  #sinceMs: number | undefined
  #frames = 0

  constructor(payload: Payload, flow: number, { sizeBytes, ratePerSecond }: SenderOptions) {
    this.payload = payload
    this.flow = flow
    this.sizeBytes = sizeBytes
    this.#ratePerSecond = ratePerSecond
    this.head = frameHead(frameKinds.payload, sizeBytes)
  }

  get bytes(): number {
    return this.#bytes
  }

  get byRate(): boolean {
    return this.#ratePerSecond !== undefined
  }

  /**
   * Writes the frames that are due, if there is room. Returns when the next is due; undefined: at
   * once.
   */
  send(outlet: Outlet, nowMs: number): number | undefined {
    const rate = this.#ratePerSecond
    const most = Math.max(1, Math.floor(burstBytes / this.sizeBytes))
    if (rate === undefined) {
      this.#write(outlet, most)
      return undefined
    }
    this.#sinceMs ??= nowMs
    const due = Math.floor(((nowMs - this.#sinceMs) / 1e3) * rate) + 1
    const owedMax = Math.max(1, Math.ceil((owedMaxMs / 1e3) * rate))
    // Frames for which the path had no room are skipped, and not sent later in a burst.
    if (due - this.#frames > owedMax) this.#frames = due - owedMax
    const frames = Math.min(due - this.#frames, most)
    this.#frames += frames
    if (frames > 0) this.#write(outlet, frames)
    return this.#sinceMs + (this.#frames / rate) * 1e3
  }

  #write(outlet: Outlet, frames: number) {
    const pieces: Buffer[] = []
    for (let frame = 0; frame < frames; frame++) pieces.push(...this.next())
    outlet.write(pieces)
  }

  /** The pieces of the next frame, which counts as sent. */
  next(): Buffer[] {
    const pieces = [this.head]
    for (let left = this.sizeBytes; left > 0;) {
      const piece = expected(this.payload, this.flow, this.#bytes, left)
      pieces.push(piece)
      left -= piece.length
      this.#bytes += piece.length
    }
    return pieces
  }

  /** This many frames were sent in another way. */
  skip(frames: number): void {
    this.#bytes += frames * this.sizeBytes
  }
}
