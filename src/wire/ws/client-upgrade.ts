/** The upgrade to WebSocket, as a client sees it (RFC 6455 section 4.1). */
import { randomBytes } from 'node:crypto'
import { authorityOf, formatAddress, type HostAddress } from '../../vocabulary/address.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { printable } from '../../vocabulary/text.ts'
import { isInterim, splitHeader, parseStart, valuesOf } from '../http/answer-head.ts'
import type { AnswerHead } from '../http/answer-head.ts'
import { withUsual, type Header } from '../http/headers.ts'
import { acceptOf, saysUpgrade } from './accept.ts'

/** The longest head of an answer; a longer one is refused. */
const headMaxBytes = 16 * 1024
const headEnd = '\r\n\r\n'

/** A request, and the value that its answer must contain. */
export interface Asked {
  request: string
  accept: string
}

/** Makes a request, without compression and subprotocols. */
export function askUpgrade(address: HostAddress, added: readonly Header[]): Asked {
  const key = randomBytes(16).toString('base64')
  const usual: Header[] = [
    ['Host', authorityOf(address)],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', key],
  ]
  const lines = withUsual(usual, added).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = `GET ${address.resource ?? '/'} HTTP/1.1\r\n${lines.join('')}\r\n`
  return { request, accept: acceptOf(key) }
}

/**
 * Reads the answer. Returns the length of its head (with interim answers before it), or 0 if it is
 * not complete.
 * @throws UserError if the answer is not an upgrade
 */
export function readUpgrade(bytes: Buffer, { accept }: Asked, address: HostAddress): number {
  const url = formatAddress(address)
  for (let from = 0; ;) {
    const end = bytes.indexOf(headEnd, from)
    const text = bytes.toString('latin1', from, end === -1 ? bytes.length : end)
    if (!'HTTP/1.1 '.startsWith(text.slice(0, 9))) throw unsuited(url, 'it does not answer in HTTP')
    if (from + text.length > headMaxBytes) throw unsuited(url, 'its answer is too long')
    if (end === -1) return 0
    from = end + headEnd.length
    const found = read(url, text)
    if (isInterim(found.status)) continue
    const fault = faultOf(url, found, accept)
    if (fault !== undefined) throw fault
    return from
  }
}

/** @throws UserError if the text is not the head of an answer */
function read(url: string, text: string): Omit<AnswerHead, 'version'> {
  const [first = '', ...lines] = text.split('\r\n')
  try {
    const start = parseStart(first)
    // The headers of a refusal are not needed, so they may be anything.
    return { ...start, headers: start.status === 101 ? lines.map(splitHeader) : [] }
  } catch {
    throw unsuited(url, 'it does not answer in HTTP')
  }
}

function faultOf(
  url: string,
  { status, reason, headers }: Omit<AnswerHead, 'version'>,
  accept: string,
): UserError | undefined {
  if (status !== 101) return answered(url, status, reason)
  const one = (name: string) => valuesOf(headers, name).join(', ')
  if (one('upgrade').toLowerCase() !== 'websocket') return unsuited(url, 'invalid Upgrade header')
  if (!saysUpgrade(one('connection'))) return unsuited(url, 'invalid Connection header')
  if (one('sec-websocket-accept') !== accept)
    return unsuited(url, 'invalid Sec-WebSocket-Accept header')
  if (one('sec-websocket-protocol') !== '')
    return unsuited(url, 'server sent a subprotocol but none was requested')
  if (one('sec-websocket-extensions') !== '')
    return unsuited(url, 'server sent an extension but none was requested')
  return undefined
}

export const answered = (url: string, status: number, reason: string): UserError =>
  new UserError(
    'network',
    `Cannot connect to ${url}: it answered with HTTP ${status} ${printable(reason)}`.trim() + '.',
    'Check the path, and whether that server takes WebSocket clients.',
  )

export const unsuited = (url: string, why: string): UserError =>
  new UserError(
    'network',
    `Cannot connect to ${url}: ${why}.`,
    'Is it a WebSocket server? `yodel serve ws://...` is one.',
  )

/** The error if the server ended the connection before it had answered. */
export const upgradeCut = (url: string): UserError =>
  unsuited(url, 'it closed the connection instead of upgrading')

export const upgradeLate = (): Error =>
  Object.assign(new Error('upgrade timed out'), { code: 'ETIMEDOUT' })
