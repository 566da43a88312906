/** The upgrade to WebSocket, as a client sees it (RFC 6455 section 4.1). */
import { randomBytes } from 'node:crypto'
import { authorityOf, formatAddress, type HostAddress } from '../../vocabulary/address.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { printable } from '../../vocabulary/text.ts'
import { splitHeader, parseStart, valuesOf } from '../http/answer-head.ts'
import { withUsual, type Header } from '../http/headers.ts'
import { acceptOf } from './accept.ts'

/** An answer whose head is longer is none. */
const headMaxBytes = 16 * 1024
const headEnd = '\r\n\r\n'

/** What is sent, and what the answer must contain. */
export interface Asked {
  request: string
  accept: string
}

/** Asks for no compression and no subprotocol. */
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
 * Reads the answer; how long its head is, 0 if more is to come.
 * @throws UserError if it is no upgrade
 */
export function readUpgrade(bytes: Buffer, { accept }: Asked, address: HostAddress): number {
  const url = formatAddress(address)
  const end = bytes.indexOf(headEnd)
  const text = bytes.toString('latin1', 0, end === -1 ? bytes.length : end)
  if (!'HTTP/1.1 '.startsWith(text.slice(0, 9))) throw unsuited(url, 'it does not answer in HTTP')
  if (text.length > headMaxBytes) throw unsuited(url, 'its answer is too long')
  if (end === -1) return 0
  const [first = '', ...lines] = text.split('\r\n')
  const fault = faultOf(url, first, lines, accept)
  if (fault !== undefined) throw fault
  return end + headEnd.length
}

function faultOf(
  url: string,
  first: string,
  lines: readonly string[],
  accept: string,
): UserError | undefined {
  let headers: [string, string][]
  try {
    const { status, reason } = parseStart(first)
    if (status !== 101) return answered(url, status, reason)
    headers = lines.map(splitHeader)
  } catch {
    return unsuited(url, 'it does not answer in HTTP')
  }
  const one = (name: string) => valuesOf(headers, name).join(', ')
  if (one('upgrade').toLowerCase() !== 'websocket') return unsuited(url, 'invalid Upgrade header')
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

/** The server ended it before it had answered. */
export const upgradeCut = (url: string): UserError =>
  unsuited(url, 'it closed the connection instead of upgrading')

export const upgradeLate = (): Error =>
  Object.assign(new Error('upgrade timed out'), { code: 'ETIMEDOUT' })
