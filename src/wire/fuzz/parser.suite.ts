/** What the fuzzing must know of a parser, and words that several parsers look for. */

/** A string has a byte for each character. */
export type Word = string | Buffer

interface Row {
  /** The files of wire/ that it feeds. */
  files: readonly string[]
  /** What it looks for: inputs are made of these, of random bytes, and of changed samples. */
  words: readonly Word[]
  /** What it reads without complaint. */
  samples: readonly Buffer[]
  /** Errors that say what is wrong with the input; any other is a defect. */
  refusal?: new (...args: never[]) => Error
  /** How expensive one input is, beside the others. */
  weight?: number
}

/** Reads what comes in pieces, and keeps the beginnings of what is not complete. */
export interface Stream extends Row {
  kind: 'stream'
  /** Returns what takes pieces until it returns false, or throws its refusal. */
  open(): (piece: Buffer) => boolean
  /** How much memory it may hold, whatever comes. */
  holdsMaxBytes: number
  /** Inputs without an end: how they begin, and what comes then again and again. */
  endless: readonly (readonly [begins: Word, goesOn: Word])[]
  /** How expensive a piece is, beside those of the others. */
  pieceCost?: number
}

/** Looks at all that came, from the first byte on; its caller keeps that while more is needed. */
export interface Beginning extends Row {
  kind: 'beginning'
  needsMore(bytes: Buffer): boolean
  /** With so many bytes it needs no more, whatever they are. */
  decidesWithinBytes: number
}

/** Reads something that is complete. */
export interface Whole extends Row {
  kind: 'whole'
  read(bytes: Buffer): void
}

export type Parser = Stream | Beginning | Whole

export const lines = ['\r\n', '\n', '\r', ': ', ' ', '\t', ',', ';', '"', '\0', '\xff']
export const httpWords = [
  ...lines,
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0 204\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  '\r\n\r\n',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff',
  ';name="value"',
  'a'.repeat(3000),
]
export const jsonWords = [...'{ } [ ] " : ,'.split(' '), 'null', '1e999', '-1', '\\u0000', '\xff']
