/** The upgrade to WebSocket, as a server sees it (RFC 6455 section 4.2). */
import { trimmedValue } from '../http/answer-head.ts'
import { acceptOf, saysUpgrade } from './accept.ts'

/** Request line and headers of an upgrade; browsers send less than a kilobyte. */
export const headMaxBytes = 16 * 1024

const statusTexts = {
  400: 'Bad Request',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
} as const

export type UpgradeRefusal = [
  status: keyof typeof statusTexts,
  why: string,
  headers?: Record<string, string>,
]
const use13 = { 'Sec-WebSocket-Version': '13' }
export const noUpgrade: UpgradeRefusal = [
  426,
  'This is a WebSocket echo server: connect with a WebSocket client, for example `yodel connect`.',
  { Upgrade: 'websocket', ...use13 },
]
export const tooLarge: UpgradeRefusal = [431, `The headers have more than ${headMaxBytes} bytes.`]
export const noHttp: UpgradeRefusal = [
  400,
  'That is not an HTTP request. This is a WebSocket echo server.',
]

/** A request. The values of headers with the same name are joined. */
export interface UpgradeRequest {
  method?: string | undefined
  /** By names in lower case. */
  headers: Partial<Record<string, string | string[]>>
}

/** Why a request for an upgrade is refused; undefined if it is not: then see acceptance(). */
export function upgradeRefusalOf(
  { method, headers }: UpgradeRequest,
  origins: readonly string[] | undefined,
): UpgradeRefusal | undefined {
  if (String(headers['upgrade']).toLowerCase() !== 'websocket') return noUpgrade
  if (method !== 'GET') return [405, 'A request for an upgrade must be a GET.', { Allow: 'GET' }]
  if (headers['sec-websocket-version'] !== '13')
    return [426, 'The version of WebSocket is 13 (RFC 6455).', { ...use13, Upgrade: 'websocket' }]
  // Programs need not send Origin; a browser always does.
  const origin = headers['origin']
  if (!origins || origin === undefined || origins.includes(String(origin))) return undefined
  return [403, 'Pages from this origin may not connect.']
}

export const refusalHeaders = (body: string): Record<string, string> => ({
  Date: new Date().toUTCString(),
  Connection: 'close',
  'Content-Type': 'text/plain; charset=utf-8',
  'Content-Length': String(Buffer.byteLength(body) + 1),
})

/**
 * The whole answer.
 * @param hasBody false for HEAD
 */
export function refusalText([status, why, headers = {}]: UpgradeRefusal, hasBody = true): string {
  const lines = Object.entries({ ...refusalHeaders(why), ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const body = hasBody ? `${why}\n` : ''
  return `HTTP/1.1 ${status} ${statusTexts[status]}\r\n${head}\r\n${body}`
}

const token = "[!#$%&'*+\\-.^_`|~\\w]+"
const requestLine = new RegExp(`^([A-Z]{1,20}) [!-~\\x80-\\xff]+ HTTP/1\\.([01])$`)
const headerLine = new RegExp(`^(${token}):([\\t -~\\x80-\\xff]*)$`)
/** Any beginning of a request line that is not complete yet. */
const begun = /^[A-Z]{1,20}(?: (?:[!-~\x80-\xff]+(?: [HTP/.01]{0,8}\r?)?)?)?$/
/** What no head may contain: other control characters, CR without LF, and LF without CR. */
// oxlint-disable-next-line no-control-regex
const stray = /[^\t\r\n -~\x80-\xff]|(?<!\r)\n|\r(?!\n|$)/g

/**
 * Whether a text may be the beginning of a request.
 * @param text bytes, as latin1
 * @param from where to begin; the text before was checked already
 */
export function mayBeRequest(text: string, from = 0): boolean {
  const end = text.indexOf('\r\n')
  if (end === -1 ? !begun.test(text) : end >= from - 1 && !requestLine.test(text.slice(0, end)))
    return false
  // A CR before it may have been the first half of CRLF.
  stray.lastIndex = Math.max(0, from - 1)
  return !stray.test(text)
}

/** Reads a head, without the empty line behind it. @param text bytes, as latin1 */
export function parseRequest(text: string): UpgradeRequest | UpgradeRefusal {
  const [first = '', ...lines] = text.split('\r\n')
  const [, method, minor] = requestLine.exec(first) ?? []
  if (method === undefined) return noHttp
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (const line of lines) {
    const [, name, value] = headerLine.exec(line) ?? []
    if (name === undefined || value === undefined) return noHttp
    const key = name.toLowerCase()
    const before = headers[key]
    headers[key] = before === undefined ? trimmedValue(value) : `${before}, ${trimmedValue(value)}`
  }
  if (minor !== '1' || !asksForUpgrade(headers)) return noUpgrade
  return hasBody(headers) ? [400, 'An upgrade has no body.'] : { method, headers }
}

const asksForUpgrade = ({ connection = '', upgrade }: Record<string, string | undefined>) =>
  upgrade !== undefined && saysUpgrade(connection)

const hasBody = (headers: Record<string, string | undefined>) =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

const protocolList = new RegExp(`^${token}(?:[ \\t]*,[ \\t]*${token})*$`)

/** The answer to a request that no rule refuses; the first of the subprotocols is taken. */
export function acceptance({ headers }: UpgradeRequest): string | UpgradeRefusal {
  const key = String(headers['sec-websocket-key'])
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key))
    return [400, 'Missing or invalid Sec-WebSocket-Key header.']
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
  ]
  const protocols = headers['sec-websocket-protocol']
  if (protocols !== undefined) {
    // Only a list is split: splitting a long text of spaces could take long.
    const list = String(protocols)
    const offered = protocolList.test(list) ? list.split(/[ \t]*,[ \t]*/) : []
    if (offered.length === 0 || new Set(offered).size < offered.length)
      return [400, 'Invalid Sec-WebSocket-Protocol header.']
    lines.push(`Sec-WebSocket-Protocol: ${offered[0]}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}
