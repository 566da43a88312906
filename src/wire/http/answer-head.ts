/** The head of an answer of HTTP/1.1, and the lines between its chunks (RFC 9112). */
import { ProtocolError } from '../../vocabulary/peer-errors.ts'

/** The head of an answer. It is untrusted: show it through vocabulary/text. */
export interface AnswerHead {
  /** `1.1`, `1.0` or `2`. */
  version: string
  status: number
  reason: string
  /** In the order in which they came. */
  headers: [name: string, value: string][]
}

export const refusal = (fault: string): ProtocolError => new ProtocolError(`the answer ${fault}`)

/**
 * Checks incomplete lines too: a server that ends them in another way may never send CRLF.
 * @param from where to begin; the text before was checked already
 */
export function checkLineEnds(text: string, place: string, from = 0): void {
  const stray = /(?<!\r)\n|\r(?!\n|$)/g
  // A CR before it may have been the first half of CRLF.
  stray.lastIndex = Math.max(0, from - 1)
  const found = stray.exec(text)
  if (found) throw refusal(`has a bare ${found[0] === '\n' ? 'LF' : 'CR'} in ${place}`)
}

export function parseHead(text: string): AnswerHead {
  const [first = ''] = text.split('\r\n', 1)
  const status = parseStart(first)
  const rest = text.slice(first.length + 2)
  if (/^[ \t]/.test(rest)) throw refusal('has a folded line before its headers')
  // A folded line counts as one with a space (RFC 9112 section 5.2).
  const lines = rest === '' ? [] : rest.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')
  const head = { ...status, headers: lines.map(splitHeader) }
  if (head.status === 101) throw refusal('switches to another protocol')
  return head
}

/** Whether another answer follows, which is the answer proper (RFC 9110 section 15.2). */
export const isInterim = (status: number): boolean => status < 200 && status !== 101

/** The status line, without its end. */
export function parseStart(line: string): Omit<AnswerHead, 'headers'> {
  const parts = /^HTTP\/(1\.[01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?$/.exec(line)
  if (parts) return { version: parts[1]!, status: Number(parts[2]), reason: parts[3] ?? '' }
  checkLineEnds(line, 'its head')
  if (!/^HTTP\/1\.[01](?: |$)/.test(line)) throw refusal('is not HTTP/1.1')
  if (!/^HTTP\/1\.[01] [1-9]\d\d(?: |$)/.test(line)) throw refusal('has no status of three digits')
  throw refusal('has control characters in its reason')
}

/** Splits a header into name and value (RFC 9110 section 5). */
export function splitHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name)) {
    checkLineEnds(line, 'a header')
    throw refusal(nameFault(name, colon))
  }
  const value = line.slice(colon + 1)
  checkValue(value)
  return [name, trimmedValue(value)]
}

function nameFault(name: string, colon: number): string {
  if (colon === -1) return 'has a header without a colon'
  if (name === '') return 'has a header without a name'
  if (/[ \t]$/.test(name)) return 'has a space before the colon of a header'
  return 'has a header whose name has other characters than a name may have'
}

/** Removes spaces and tabs at both ends in one pass: a value may be long and have nothing else. */
export function trimmedValue(value: string): string {
  let [start, end] = [0, value.length]
  const isSpace = (at: number) => value[at] === ' ' || value[at] === '\t'
  while (start < end && isSpace(start)) start++
  while (end > start && isSpace(end - 1)) end--
  return value.slice(start, end)
}

export function checkValue(value: string): void {
  if (/^[\t -~\x80-\xff]*$/.test(value)) return
  checkLineEnds(value, 'a header')
  throw refusal('has control characters in a header')
}

export type Framing = number | 'chunked' | 'until-close'

/** How long the body is (RFC 9112 section 6.3). */
export function framingOf({ version, status, headers }: AnswerHead): Framing {
  const lengths = valuesOf(headers, 'content-length')
  const encodings = valuesOf(headers, 'transfer-encoding')
  if (lengths.length > 1) throw refusal('has more than one Content-Length')
  if (encodings.length > 1) throw refusal('has more than one Transfer-Encoding')
  if (lengths.length + encodings.length > 1)
    throw refusal('has both a Content-Length and a Transfer-Encoding')
  if (!/^\d{1,15}$/.test(lengths[0] ?? '0'))
    throw refusal('has a Content-Length that is not a number')
  if (encodings.length > 0) {
    if (encodings[0]!.toLowerCase() !== 'chunked')
      throw refusal('has a transfer coding that was not asked for')
    if (version === '1.0') throw refusal('has chunks, which HTTP/1.0 does not know')
  }
  if (status === 204 || status === 304) return 0
  if (encodings.length > 0) return 'chunked'
  return lengths.length > 0 ? Number(lengths[0]) : 'until-close'
}

const token = "[!#$%&'*+\\-.^_`|~\\w]+"
/** A size in hexadecimal, and extensions, which are ignored (RFC 9112 section 7.1.1). */
const chunkLine = new RegExp(
  `^([\\da-f]{1,16})(?:;${token}(?:=(?:(?:${token})?|"[\\t !#-[\\]-~]*"))?)*$`,
  'i',
)

export function chunkSize(line: string): number {
  const size = Number.parseInt(chunkLine.exec(line)?.[1] ?? '', 16)
  if (Number.isSafeInteger(size)) return size
  checkLineEnds(line, 'the lines around a chunk')
  throw refusal(
    /^[\da-f]/i.test(line) ? 'has a malformed size of a chunk' : 'has a chunk without a size',
  )
}

/** The values of all headers of that name. @param wanted in lower case */
export const valuesOf = (headers: AnswerHead['headers'], wanted: string): string[] =>
  headers
    .filter(([name]) => name.length === wanted.length && name.toLowerCase() === wanted)
    .map(([, value]) => value)
