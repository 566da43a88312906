/** A stream below TLS that looks at the records: did the other side announce its end? */
import { Duplex } from 'node:stream'

const headBytes = 5
const alertType = 21
const dataType = 23
/** In TLS 1.3 an alert is encrypted: two bytes, the type, and the tag (RFC 8446 section 5.2). */
const hiddenAlertBytes = 19

/** Passes bytes on in both directions, and looks at the records. */
export class RecordTap extends Duplex {
  readonly #below: Duplex
  #head = Buffer.alloc(0)
  #bodyBytes = 0
  #lastType = 0
  #lastBytes = 0

  constructor(below: Duplex) {
    super({ allowHalfOpen: true })
    this.#below = below
    below.on('data', chunk => {
      this.#look(chunk as Buffer)
      if (!this.push(chunk)) below.pause()
    })
    below.on('end', () => this.push(null))
    below.on('error', error => this.destroy(error))
    below.on('close', () => this.destroy())
  }

  #look(chunk: Buffer) {
    for (let at = 0; at < chunk.length;) {
      if (this.#bodyBytes > 0) {
        const taken = Math.min(this.#bodyBytes, chunk.length - at)
        this.#bodyBytes -= taken
        at += taken
        continue
      }
      const missing = headBytes - this.#head.length
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + missing)])
      at += missing
      if (this.#head.length < headBytes) return
      this.#lastType = this.#head[0]!
      this.#lastBytes = this.#head.readUInt16BE(3)
      this.#bodyBytes = this.#lastBytes
      this.#head = Buffer.alloc(0)
    }
  }

  /** Whether the last record was an alert: close_notify, where nothing has failed. */
  get endedByAlert(): boolean {
    const isHidden = this.#lastType === dataType && this.#lastBytes === hiddenAlertBytes
    return this.#lastType === alertType || isHidden
  }

  override _read(): void {
    this.#below.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#below.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#below.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#below.destroy()
    done(error)
  }
}
