/** Splits stdin into messages of text: each line is a message, without its newline. */
import { isUtf8 } from 'node:buffer'
import { UserError } from '../vocabulary/errors.ts'

/** The longest line: a line is kept in memory until its end has come. */
const lineMaxBytes = 64 * 2 ** 20
const newline = 0x0a

export class TextLines {
  #partial: Buffer[] = []
  #partialBytes = 0
  #lines = 0

  /**
   * The lines that end in this chunk.
   * @throws UserError if one is not UTF-8 (RFC 6455 section 5.6), or too long
   */
  take(chunk: Buffer): string[] {
    const lines: string[] = []
    let from = 0
    for (let end; (end = chunk.indexOf(newline, from)) !== -1; from = end + 1) {
      this.#keep(chunk.subarray(from, end))
      lines.push(this.#line())
    }
    this.#keep(chunk.subarray(from))
    return lines
  }

  /** The text after the last newline. */
  rest(): string | undefined {
    return this.#partialBytes === 0 ? undefined : this.#line()
  }

  #keep(piece: Buffer) {
    if (piece.length > 0) this.#partial.push(piece)
    this.#partialBytes += piece.length
    if (this.#partialBytes > lineMaxBytes)
      throw new UserError('usage', `line ${this.#lines + 1} has more than 64 MiB.`)
  }

  #line(): string {
    const bytes = Buffer.concat(this.#partial)
    this.#partial = []
    this.#partialBytes = 0
    this.#lines++
    if (isUtf8(bytes)) return bytes.toString()
    throw new UserError('usage', `line ${this.#lines} is not UTF-8, so it is not text.`)
  }
}
