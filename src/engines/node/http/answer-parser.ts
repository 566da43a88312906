/** Reads the answers of an HTTP/1.1 server, piece by piece (RFC 9112). */
import { ProtocolError } from '../../failures.ts'

/** What stands before the body of an answer. Untrusted: show it through report/printable. */
export interface AnswerHead {
  /** `1.1`, `1.0` or `2`. */
  version: string
  status: number
  reason: string
  /** In the order in which they came. */
  headers: [name: string, value: string][]
}

export interface AnswerListener {
  onHead(head: AnswerHead): void
  onBody(piece: Buffer): void
  onEnd(): void
}

/** Also of a line of a chunked body. */
const headMaxBytes = 64 * 1024
const nothing = Buffer.alloc(0)

type State = 'head' | 'length' | 'until-close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer'

export class AnswerParser {
  readonly #listener: AnswerListener
  #state: State = 'head'
  /** What came of a line, or of a head, that is not complete. */
  #rest: Buffer = nothing
  /** Of the body or the chunk. */
  #missingBytes = 0

  constructor(listener: AnswerListener) {
    this.#listener = listener
  }

  /** The answer before is complete, and nothing has come of another. */
  get isBetween(): boolean {
    return this.#state === 'head' && this.#rest.length === 0
  }

  /** @throws ProtocolError if it is no HTTP */
  feed(data: Buffer): void {
    let bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    this.#rest = nothing
    while (bytes.length > 0) {
      const taken = this.#take(bytes)
      if (taken === 0) {
        if (bytes.length > headMaxBytes)
          throw new ProtocolError('the head of the answer is endless')
        this.#rest = bytes
        return
      }
      bytes = bytes.subarray(taken)
    }
  }

  /** Nothing more will come. Whether that is how an answer may end. */
  close(): boolean {
    if (this.#state !== 'until-close') return this.isBetween
    this.#end()
    return true
  }

  /** How many bytes are done with; 0: more are needed. */
  #take(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#takeHead(bytes)
      case 'length':
      case 'chunk':
        return this.#takeBody(bytes.subarray(0, this.#missingBytes))
      case 'until-close':
        this.#listener.onBody(bytes)
        return bytes.length
      default:
        return this.#takeLine(bytes)
    }
  }

  #takeHead(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) {
      this.#checkStart(bytes)
      return 0
    }
    const head = parseHead(bytes.toString('latin1', 0, end))
    // 100 Continue and the like come before the answer proper (RFC 9110 section 15.2).
    if (head.status >= 200) this.#begin(head)
    return end + 4
  }

  /** Whoever speaks something else may never send an empty line. */
  #checkStart(bytes: Buffer) {
    const start = 'HTTP/1.'
    if (!start.startsWith(bytes.toString('latin1', 0, start.length)))
      throw new ProtocolError('the answer is not HTTP/1.1')
  }

  #begin(head: AnswerHead) {
    this.#listener.onHead(head)
    const { status, headers } = head
    const lengths = valuesOf(headers, 'content-length')
    const encodings = valuesOf(headers, 'transfer-encoding')
    if (status === 204 || status === 304) this.#end()
    else if (encodings.length > 0) {
      if (encodings.join().trim().toLowerCase() !== 'chunked' || lengths.length > 0)
        throw new ProtocolError('the answer has a contradictory length')
      this.#state = 'chunk-size'
    } else if (lengths.length > 0) {
      const [length] = lengths as [string]
      if (!/^\d{1,15}$/.test(length) || lengths.some(other => other !== length))
        throw new ProtocolError('the answer has a contradictory length')
      this.#missingBytes = Number(length)
      this.#state = 'length'
      if (this.#missingBytes === 0) this.#end()
    } else this.#state = 'until-close'
  }

  #takeBody(piece: Buffer): number {
    this.#missingBytes -= piece.length
    this.#listener.onBody(piece)
    if (this.#missingBytes === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk-end'
      else this.#end()
    }
    return piece.length
  }

  #takeLine(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n')
    if (end === -1) return 0
    const line = bytes.toString('latin1', 0, end)
    if (this.#state === 'trailer') {
      if (line === '') this.#end()
    } else if (this.#state === 'chunk-end') {
      if (line !== '') throw new ProtocolError('a chunk of the answer is longer than it says')
      this.#state = 'chunk-size'
    } else {
      const size = /^([\da-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)
      if (!size) throw new ProtocolError('a chunk of the answer has no size')
      this.#missingBytes = Number.parseInt(size[1]!, 16)
      this.#state = this.#missingBytes === 0 ? 'trailer' : 'chunk'
    }
    return end + 2
  }

  #end() {
    this.#state = 'head'
    this.#listener.onEnd()
  }
}

function parseHead(text: string): AnswerHead {
  const [first = '', ...lines] = text.split('\r\n')
  const status = /^HTTP\/(1\.[01]) (\d{3})(?: (.*))?$/.exec(first)
  if (!status) throw new ProtocolError('the answer is not HTTP/1.1')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    if (colon < 1) throw new ProtocolError('the answer has a header without a name')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { version: status[1]!, status: Number(status[2]), reason: status[3] ?? '', headers }
}

/** Of all headers of that name, in lower case. */
export const valuesOf = (headers: AnswerHead['headers'], wanted: string): string[] =>
  headers
    .filter(([name]) => name.length === wanted.length && name.toLowerCase() === wanted)
    .map(([, value]) => value)
