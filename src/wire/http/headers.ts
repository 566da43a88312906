/** Headers that a user adds to the requests of a client. */
import { usageError } from '../../vocabulary/errors.ts'
import { trimmedValue } from './answer-head.ts'

export type Header = readonly [name: string, value: string]

/** Where a message ends, and what becomes of the connection, depends on these. */
const own = new Set(
  'connection content-length expect http2-settings keep-alive proxy-connection te trailer'
    .concat(' transfer-encoding upgrade')
    .split(' '),
)

const isOwn = (name: string) => own.has(name) || name.startsWith('sec-websocket-')

/** Values that have to stay secret. */
const secret = /auth|cookie|key|password|secret|token/i

/** `Name: value` (RFC 9110 section 5). @throws UserError */
export function parseHeader(text: string): Header {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):([\t -~\u{80}-\u{ff}]*)$/u.exec(text) ?? []
  // Otherwise it stays unsaid what it was: it may be a secret.
  if (name === undefined || value === undefined)
    throw usageError(
      'That is not a header.',
      "Write for example --header 'Authorization: Basic eA=='.",
    )
  if (isOwn(name.toLowerCase()))
    throw usageError(`The header ${name} is a part of how messages are sent.`, 'Leave it out.')
  const bare = trimmedValue(value)
  if (name.toLowerCase() === 'host' && !/^[\w.:[\]-]+$/.test(bare))
    throw usageError(`'${bare}' is not a host.`, "Write for example --header 'Host: example.org'.")
  return [name, bare]
}

/** One in each line of a file. Empty lines, and those that begin with #, are skipped. */
export const parseHeaders = (content: string): Header[] =>
  content
    .split(/\r?\n/)
    .filter(line => line.trim() !== '' && !line.startsWith('#'))
    .map(parseHeader)

/** As a result may show it. */
export function showHeader(text: string): string {
  const [name, value] = parseHeader(text)
  return `${name}: ${secret.test(name) ? '...' : value}`
}

interface HeaderOptions {
  headers?: readonly string[] | undefined
  headerFile?: string | undefined
}

/** All headers that were given. */
export const headersOf = ({ headers = [], headerFile = '' }: HeaderOptions): Header[] => [
  ...headers.map(parseHeader),
  ...parseHeaders(headerFile),
]

/** The usual ones, and those that were added, which replace usual ones of their names. */
export function withUsual(usual: readonly Header[], added: readonly Header[]): Header[] {
  const names = new Set(added.map(([name]) => name.toLowerCase()))
  return [...usual.filter(([name]) => !names.has(name.toLowerCase())), ...added]
}

/** As Node takes them: what occurs more than once is a list. A name may be `constructor`. */
export function asObject(headers: readonly Header[]): Record<string, string | string[]> {
  const object = Object.create(null) as Record<string, string | string[]>
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = object[key]
    object[key] = before === undefined ? value : [before, value].flat()
  }
  return object
}
