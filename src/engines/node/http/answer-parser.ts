/**
 * Reads the answers of an HTTP/1.1 server, piece by piece (RFC 9112). It refuses what the parser of
 * Node refuses, but for folded lines; that one, with the client around it, costs twice as much.
 */
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

/** Also of trailers. */
const headMaxBytes = 64 * 1024
/** Of a line before a chunk, with its extensions. */
const chunkLineMaxBytes = 16 * 1024
const nothing = Buffer.alloc(0)

type State = 'head' | 'length' | 'until-close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer'

export class AnswerParser {
  readonly #listener: AnswerListener
  #state: State = 'head'
  /** What came of a line, or of a head, that is not complete. */
  #rest: Buffer = nothing
  /** Of the body or the chunk. */
  #missingBytes = 0
  #trailerBytes = 0

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
    // As Node does: some send an empty line too many behind a body.
    if (bytes[0] === 0x0d && (bytes[1] ?? 0x0a) === 0x0a) return bytes.length === 1 ? 0 : 2
    const end = bytes.indexOf('\r\n\r\n')
    if ((end === -1 ? bytes.length : end) > headMaxBytes) throw endless('head')
    if (end === -1) {
      this.#checkStart(bytes)
      return 0
    }
    const head = parseHead(bytes.toString('latin1', 0, end))
    // 100 Continue and the like come before the answer proper (RFC 9110 section 15.2).
    const framing = framingOf(head)
    if (head.status >= 200) this.#begin(head, framing)
    return end + 4
  }

  /** Whoever speaks something else may never send an empty line. */
  #checkStart(bytes: Buffer) {
    const start = 'HTTP/1.'
    if (!start.startsWith(bytes.toString('latin1', 0, start.length)))
      throw new ProtocolError('the answer is not HTTP/1.1')
  }

  #begin(head: AnswerHead, framing: Framing) {
    this.#listener.onHead(head)
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
    this.#listener.onBody(piece)
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
    if (end === -1) return 0
    const line = bytes.toString('latin1', 0, end)
    if (isTrailer) this.#takeTrailer(line)
    else if (this.#state === 'chunk-end') {
      if (line !== '') throw new ProtocolError('a chunk of the answer is longer than it says')
      this.#state = 'chunk-size'
    } else {
      this.#missingBytes = chunkSize(line)
      this.#state = this.#missingBytes === 0 ? 'trailer' : 'chunk'
    }
    return end + 2
  }

  /** It is checked, and left out. */
  #takeTrailer(line: string) {
    if (line === '') return this.#end()
    const isFolded = this.#trailerBytes > 0 && /^[ \t]/.test(line)
    this.#trailerBytes += line.length + 2
    const [name] = isFolded ? [''] : parseHeader(line)
    if (isFolded) checkValue(line)
    if (/^(content-length|transfer-encoding)$/i.test(name))
      throw new ProtocolError('the answer has a length in its trailer')
  }

  #end() {
    this.#state = 'head'
    this.#listener.onEnd()
  }
}

const endless = (what: string) => new ProtocolError(`the ${what} of the answer is endless`)

function parseHead(text: string): AnswerHead {
  const [first = ''] = text.split('\r\n', 1)
  const status = /^HTTP\/(1\.[01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?$/.exec(first)
  if (!status) throw new ProtocolError('the answer is not HTTP/1.1')
  const rest = text.slice(first.length + 2)
  if (/^[ \t]/.test(rest))
    throw new ProtocolError('the answer has a folded line before its headers')
  // A folded line counts as one with a space (RFC 9112 section 5.2).
  const lines = rest === '' ? [] : rest.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')
  const head = {
    version: status[1]!,
    status: Number(status[2]),
    reason: status[3] ?? '',
    headers: lines.map(parseHeader),
  }
  if (head.status === 101) throw new ProtocolError('the answer goes over to another protocol')
  return head
}

/** RFC 9110 section 5. */
function parseHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name))
    throw new ProtocolError('the answer has a header without a name')
  const value = line.slice(colon + 1)
  checkValue(value)
  return [name, trimmed(value)]
}

/** In one pass: it may be long, and all spaces. */
function trimmed(value: string): string {
  let [start, end] = [0, value.length]
  const isSpace = (at: number) => value[at] === ' ' || value[at] === '\t'
  while (start < end && isSpace(start)) start++
  while (end > start && isSpace(end - 1)) end--
  return value.slice(start, end)
}

function checkValue(value: string): void {
  if (!/^[\t -~\x80-\xff]*$/.test(value))
    throw new ProtocolError('the answer has control characters in a header')
}

type Framing = number | 'chunked' | 'until-close'

/** How long the body is (RFC 9112 section 6.3). */
function framingOf({ version, status, headers }: AnswerHead): Framing {
  const lengths = valuesOf(headers, 'content-length')
  const encodings = valuesOf(headers, 'transfer-encoding')
  if (lengths.length + encodings.length > 1 || !/^\d{1,15}$/.test(lengths[0] ?? '0'))
    throw new ProtocolError('the answer has a contradictory length')
  if (encodings.length > 0 && (encodings[0]!.toLowerCase() !== 'chunked' || version === '1.0'))
    throw new ProtocolError('the answer has a transfer coding that nobody asked for')
  if (status === 204 || status === 304) return 0
  if (encodings.length > 0) return 'chunked'
  return lengths.length > 0 ? Number(lengths[0]) : 'until-close'
}

const token = "[!#$%&'*+\\-.^_`|~\\w]+"
/** With extensions (RFC 9112 section 7.1.1), which say nothing to us. */
const chunkLine = new RegExp(
  `^([\\da-f]{1,16})(?:;${token}(?:=(?:(?:${token})?|"[\\t !#-[\\]-~]*"))?)*$`,
  'i',
)

function chunkSize(line: string): number {
  const size = Number.parseInt(chunkLine.exec(line)?.[1] ?? '', 16)
  if (!Number.isSafeInteger(size)) throw new ProtocolError('a chunk of the answer has no size')
  return size
}

/** Of all headers of that name, in lower case. */
export const valuesOf = (headers: AnswerHead['headers'], wanted: string): string[] =>
  headers
    .filter(([name]) => name.length === wanted.length && name.toLowerCase() === wanted)
    .map(([, value]) => value)
