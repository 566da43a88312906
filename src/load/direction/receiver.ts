/** Verifies the payload that comes in one direction, and knows when it came. */
import type { ReceiverEnd, Report, WrongPlace } from '../../wire/direction/trace.ts'
import { Histogram } from '../../metrics/histogram.ts'
import { saveHistogram } from '../../metrics/saved.ts'
import { copyOf, firstWrongByte, type Payload } from '../payload.ts'

/** How many bytes of a wrong place are shown. */
const shownBytes = 16

export class Receiver {
  readonly #payload: Payload
  readonly #flow: number
  readonly #startMs: number
  readonly #gaps = new Histogram()
  #bytes = 0
  /** When the chunk came that is being read. */
  #arrivedMs = -1
  #chunks = 0
  #firstMs = 0
  #lastMs = 0
  #wrongBytes = 0
  #firstWrong: WrongPlace | undefined

  /** @param startMs the instant from which its times count */
  constructor(payload: Payload, flow: number, startMs: number) {
    this.#payload = payload
    this.#flow = flow
    this.#startMs = startMs
  }

  get bytes(): number {
    return this.#bytes
  }

  get wrongBytes(): number {
    return this.#wrongBytes
  }

  /** A chunk of the stream has come. If it contains payload, take() follows. */
  arrived(nowMs: number): void {
    this.#arrivedMs = nowMs
  }

  #noteArrival(nowMs: number) {
    this.#arrivedMs = -1
    if (this.#chunks++ === 0) this.#firstMs = nowMs
    else this.#gaps.record((nowMs - this.#lastMs) * 1e6)
    this.#lastMs = nowMs
  }

  /** How many of these bytes are wrong: `chunk[from..to)` continues the stream. */
  take(chunk: Buffer, from: number, to: number): number {
    if (this.#arrivedMs !== -1) this.#noteArrival(this.#arrivedMs)
    const length = to - from
    const offset = this.#bytes
    this.#bytes += length
    const wrong = firstWrongByte(this.#payload, this.#flow, offset, chunk, from, length)
    return wrong === -1 ? 0 : this.#noteWrong(chunk.subarray(from + wrong, to), offset + wrong)
  }

  #noteWrong(bytes: Buffer, offset: number): number {
    const right = copyOf(this.#payload, this.#flow, offset, bytes.length)
    let count = 0
    for (let index = 0; index < right.length; index++) if (bytes[index] !== right[index]) count++
    this.#wrongBytes += count
    this.#firstWrong ??= {
      offset,
      expected: right.toString('hex', 0, shownBytes),
      received: bytes.toString('hex', 0, shownBytes),
    }
    return count
  }

  get report(): Report {
    const atMs = this.#sinceStart(this.#lastMs)
    return { bytes: this.#bytes, atMs, wrongBytes: this.#wrongBytes }
  }

  /** The report at the end, with all distributions. */
  get lastReport(): Report {
    const end: ReceiverEnd = {
      firstMs: this.#sinceStart(this.#firstMs),
      lastMs: this.#sinceStart(this.#lastMs),
      chunks: this.#chunks,
      gaps: saveHistogram(this.#gaps),
      firstWrong: this.#firstWrong,
    }
    return { ...this.report, end }
  }

  #sinceStart(ms: number): number {
    return this.#chunks === 0 ? 0 : Math.round((ms - this.#startMs) * 1e3) / 1e3
  }
}
