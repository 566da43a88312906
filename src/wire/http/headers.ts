/** Headers that a user adds to the requests of a client. */
import { usageError } from '../../vocabulary/errors.ts'
import { trimmedValue } from './answer-head.ts'

export type Header = readonly [name: string, value: string]

/**
 * Headers that a user cannot set: they decide where a message ends, and whether the connection
 * stays open.
 */
const own = new Set(
  'connection content-length expect http2-settings keep-alive proxy-connection te trailer'
    .concat(' transfer-encoding upgrade')
    .split(' '),
)

const isOwn = (name: string) => own.has(name) || name.startsWith('sec-websocket-')

/** Names of headers whose values have to stay secret. */
const secret = /auth|cookie|key|password|secret|token/i

/** `Name: value` (RFC 9110 section 5). @throws UserError */
export function parseHeader(text: string): Header {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):([\t -~\u{80}-\u{ff}]*)$/u.exec(text) ?? []
  // The text is not quoted in the error, since it may be a secret.
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

/** Headers, one in each line of a file. Empty lines, and those that begin with #, are skipped. */
export const parseHeaders = (content: string): Header[] =>
  content
    .split(/\r?\n/)
    .filter(line => line.trim() !== '' && !line.startsWith('#'))
    .map(parseHeader)

/** A header as results show it: a secret value is left out. */
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

/** The usual headers and the added ones. An added header replaces the usual one of its name. */
export function withUsual(usual: readonly Header[], added: readonly Header[]): Header[] {
  const names = new Set(added.map(([name]) => name.toLowerCase()))
  return [...usual.filter(([name]) => !names.has(name.toLowerCase())), ...added]
}

/**
 * Headers as Node takes them: several values of a name are a list. (A name may be `constructor`.)
 */
export function asObject(headers: readonly Header[]): Record<string, string | string[]> {
  const object = Object.create(null) as Record<string, string | string[]>
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = object[key]
    object[key] = before === undefined ? value : [before, value].flat()
  }
  return object
}
