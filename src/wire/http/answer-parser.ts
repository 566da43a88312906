/**
 * Reads the answers of an HTTP/1.1 server, piece by piece (RFC 9112). It refuses what Node's parser
 * refuses, except folded lines. Node's parser, with the client around it, costs twice as much.
 */
import { ProtocolError } from '../../vocabulary/peer-errors.ts'
import { checkLineEnds, checkValue, chunkSize, isInterim, refusal } from './answer-head.ts'
import { framingOf, parseHead, splitHeader, parseStart } from './answer-head.ts'
import type { AnswerHead, Framing } from './answer-head.ts'

export { valuesOf, type AnswerHead } from './answer-head.ts'

export interface AnswerEvents {
  onHead(head: AnswerHead): void
  onBody(piece: Buffer): void
  onEnd(): void
  /** A line of a trailer; without it they are dropped. */
  onTrailer?(header: [name: string, value: string]): void
}

/** The longest head, and the longest trailer. */
const headMaxBytes = 64 * 1024
/** A longer head is not remembered. */
const knownMaxBytes = 4 * 1024
/** The longest line before a chunk, with its extensions. */
const chunkLineMaxBytes = 16 * 1024
const nothing = Buffer.alloc(0)

type State = 'head' | 'length' | 'until-close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer'

export class AnswerParser {
  readonly #events: AnswerEvents
  #state: State = 'head'
  /** The last head: most answers of a server have the same one. */
  #known: { bytes: Buffer; head: AnswerHead; framing: Framing } | undefined
  /** The beginning of a line or a head that is not complete. */
  #rest: Buffer = nothing
  /** How much of it was checked for line ends already. */
  #checkedBytes = 0
  /** What is missing of the body or the chunk. */
  #missingBytes = 0
  #trailerBytes = 0

  constructor(events: AnswerEvents) {
    this.#events = events
  }

  /** Whether the last answer is complete, and no byte of another has come. */
  get isBetween(): boolean {
    return this.#state === 'head' && this.#rest.length === 0
  }

  /** @throws ProtocolError if it is not HTTP */
  feed(data: Buffer): void {
    let bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    this.#checkedBytes = this.#rest.length
    this.#rest = nothing
    while (bytes.length > 0) {
      const taken = this.#take(bytes)
      if (taken === 0) {
        this.#rest = bytes
        return
      }
      bytes = bytes.subarray(taken)
      this.#checkedBytes = 0
    }
  }

  /** The connection has ended. Returns whether an answer may end there. */
  close(): boolean {
    if (this.#state !== 'until-close') return this.isBetween
    this.#end()
    return true
  }

  /** Returns how many bytes it used; 0: it needs more. */
  #take(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#takeHead(bytes)
      case 'length':
      case 'chunk':
        return this.#takeBody(bytes.subarray(0, this.#missingBytes))
      case 'until-close':
        this.#events.onBody(bytes)
        return bytes.length
      default:
        return this.#takeLine(bytes)
    }
  }

  #takeHead(bytes: Buffer): number {
    if (this.#known && startsWith(bytes, this.#known.bytes)) {
      this.#begin(this.#known.head, this.#known.framing)
      return this.#known.bytes.length
    }
    // Some servers send an empty line after a body; Node skips it too.
    if (bytes[0] === 0x0d && (bytes[1] ?? 0x0a) === 0x0a) return bytes.length === 1 ? 0 : 2
    const end = bytes.indexOf('\r\n\r\n')
    if ((end === -1 ? bytes.length : end) > headMaxBytes) throw endless('head')
    if (end === -1) {
      this.#checkStart(bytes)
      return 0
    }
    const head = parseHead(bytes.toString('latin1', 0, end))
    const framing = framingOf(head)
    const length = end + 4
    if (isInterim(head.status)) return length
    // A copy: what has come may lie in much more memory.
    if (length <= knownMaxBytes)
      this.#known = { bytes: Buffer.from(bytes.subarray(0, length)), head, framing }
    this.#begin(head, framing)
    return length
  }

  /** Refuses a wrong head before it is complete: the server may never send its end. */
  #checkStart(bytes: Buffer) {
    const text = bytes.toString('latin1')
    const start = 'HTTP/1.'
    if (!start.startsWith(text.slice(0, start.length))) throw refusal('is not HTTP/1.1')
    checkLineEnds(text, 'its head', this.#checkedBytes)
    const end = text.indexOf('\r\n')
    if (end + 2 > this.#checkedBytes && end !== -1) parseStart(text.slice(0, end))
  }

  #begin(head: AnswerHead, framing: Framing) {
    this.#events.onHead(head)
    if (framing === 'chunked') {
      this.#state = 'chunk-size'
      this.#trailerBytes = 0
    } else if (framing === 'until-close') this.#state = framing
    else if (framing === 0) this.#end()
    else {
      this.#missingBytes = framing
      this.#state = 'length'
    }
  }

  #takeBody(piece: Buffer): number {
    this.#missingBytes -= piece.length
    this.#events.onBody(piece)
    if (this.#missingBytes === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk-end'
      else this.#end()
    }
    return piece.length
  }

  #takeLine(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n')
    const isTrailer = this.#state === 'trailer'
    const roomBytes = isTrailer ? headMaxBytes - this.#trailerBytes : chunkLineMaxBytes
    if ((end === -1 ? bytes.length : end) > roomBytes)
      throw endless(isTrailer ? 'trailer' : 'size of a chunk')
    if (end === -1) {
      this.#checkLine(bytes.toString('latin1'))
      return 0
    }
    const line = bytes.toString('latin1', 0, end)
    if (isTrailer) this.#takeTrailer(line)
    else if (this.#state === 'chunk-end') {
      if (line !== '') {
        this.#checkLine(line)
        throw overlong()
      }
      this.#state = 'chunk-size'
    } else {
      this.#missingBytes = chunkSize(line)
      this.#state = this.#missingBytes === 0 ? 'trailer' : 'chunk'
    }
    return end + 2
  }

  /** Refuses a wrong line before it is complete, as above. */
  #checkLine(line: string) {
    if (this.#state === 'chunk-end' && !/^[\r\n]/.test(line)) throw overlong()
    checkLineEnds(line, this.#state === 'trailer' ? 'its trailer' : around, this.#checkedBytes)
    if (this.#state === 'chunk-size' && !/^[\da-f\r]/i.test(line)) chunkSize(line)
  }

  /** Checks a line of the trailer. */
  #takeTrailer(line: string) {
    if (line === '') return this.#end()
    const isFolded = this.#trailerBytes > 0 && /^[ \t]/.test(line)
    this.#trailerBytes += line.length + 2
    const header = isFolded ? undefined : splitHeader(line)
    const [name] = header ?? ['']
    if (isFolded) checkValue(line)
    if (/^(content-length|transfer-encoding)$/i.test(name))
      throw refusal('has a length in its trailer')
    if (header) this.#events.onTrailer?.(header)
  }

  #end() {
    this.#state = 'head'
    this.#events.onEnd()
  }
}

const startsWith = (bytes: Buffer, start: Buffer): boolean =>
  bytes.length >= start.length && start.compare(bytes, 0, start.length) === 0

const around = 'the lines around a chunk'
const overlong = () => refusal('has a chunk that is longer than it says')
const endless = (what: string) => new ProtocolError(`the ${what} of the answer is endless`)
