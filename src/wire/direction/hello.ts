/**
 * How a session in band begins: a first message that no echo user sends by accident. A server that
 * does not know this message, or may not serve sessions, echoes it like any bytes;
 * docs/direction.md has the whole protocol.
 *
 *   magic 16 | version 1 | 0 | length of the body 2 | body: JSON
 */

/** `\0yodel`, eight random bytes, and CR LF, which a path that converts text would change. */
export const magic = Buffer.from(
  '0079 6f64 656c 89d1 7ec3 5fa6 1bf0 0d0a'.replaceAll(' ', ''),
  'hex',
)
export const sessionVersion = 2
const headBytes = magic.length + 4
const bodyMaxBytes = 4096

/** What the client wants. */
export const modes = [
  /** The client sends, and the server verifies. */
  'up',
  /** The server sends until it is told to stop. */
  'down',
  'both',
  /** All further bytes are echoed, without frames, and the server keeps a trace. */
  'echo',
  /** The server answers only with the trace of another session. */
  'trace',
] as const
export type Mode = (typeof modes)[number]

export interface Hello {
  mode: Mode
  /**
   * The id of this session, or of the one whose trace is asked for: 32 random hexadecimal digits.
   */
  id: string
  /** The payload is a function of the seed, of the number of the flow, and of the offset. */
  seed: number
  flow: number
  /** Bytes of payload in each frame that the server sends, and how many frames a second. */
  sizeBytes?: number | undefined
  ratePerSecond?: number | undefined
  /** Over datagrams: the cookie with which the server answered the first hello. */
  cookie?: string | undefined
  /** Over datagrams: how long the warm-up of the server lasts. */
  warmupMs?: number | undefined
  /** In the head of a request that has no body: how long the server sends. */
  lastsMs?: number | undefined
}

/** The largest payload of a frame. */
export const sizeMaxBytes = 65_536

export function writeHello(hello: Hello, ofVersion = sessionVersion): Buffer {
  const body = Buffer.from(JSON.stringify(hello))
  const head = Buffer.alloc(headBytes)
  magic.copy(head)
  head[magic.length] = ofVersion
  head.writeUInt16BE(body.length, magic.length + 2)
  return Buffer.concat([head, body])
}

/** What the first bytes of a connection are, as far as is known. */
export type Beginning =
  /** Anything else: to be echoed. */
  | { kind: 'other' }
  /**
   * So far it could be a session: there are fewer bytes than `magic` has. These bytes are echoed
   * already.
   */
  | { kind: 'perhaps' }
  /** It is a session, and the rest of the hello must follow. */
  | { kind: 'incomplete' }
  | { kind: 'hello'; hello: Hello; bytes: number }
  | { kind: 'version'; version: number }
  | { kind: 'malformed'; reason: string }

/** @param bytes all bytes from the first on */
export function readHello(bytes: Buffer): Beginning {
  const compared = Math.min(bytes.length, magic.length)
  if (magic.compare(bytes, 0, compared, 0, compared) !== 0) return { kind: 'other' }
  if (compared < magic.length) return { kind: 'perhaps' }
  if (bytes.length < headBytes) return { kind: 'incomplete' }
  const ofVersion = bytes[magic.length]!
  if (ofVersion !== sessionVersion) return { kind: 'version', version: ofVersion }
  const length = bytes.readUInt16BE(magic.length + 2)
  if (length > bodyMaxBytes) return { kind: 'malformed', reason: 'it is too long' }
  const end = headBytes + length
  if (bytes.length < end) return { kind: 'incomplete' }
  const hello = parse(bytes.toString('utf8', headBytes, end))
  return typeof hello === 'string'
    ? { kind: 'malformed', reason: hello }
    : { kind: 'hello', hello, bytes: end }
}

const isWhole = (value: unknown, min: number, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max

/** Parses the body of a hello; a text says why it makes no sense. */
function parse(text: string): Hello | string {
  let body: Partial<Hello> | null
  try {
    body = JSON.parse(text) as typeof body
  } catch {
    return 'it is not JSON'
  }
  if (typeof body !== 'object' || body === null) return 'it is not an object'
  const { mode, id, seed, flow, sizeBytes, ratePerSecond, cookie, warmupMs, lastsMs } = body
  if (!modes.includes(mode as Mode)) return 'its mode is not known'
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) return 'it has no id'
  if (!isWhole(seed, 0, 2 ** 32 - 1)) return 'it has no seed'
  if (!isWhole(flow, 0, 2 ** 32 - 1)) return 'it has no number of a flow'
  if (sizeBytes !== undefined && !isWhole(sizeBytes, 1, sizeMaxBytes)) return 'its size is wrong'
  const isRate = typeof ratePerSecond === 'number' && ratePerSecond > 0 && ratePerSecond <= 1e9
  if (ratePerSecond !== undefined && !isRate) return 'its rate is wrong'
  if (cookie !== undefined && typeof cookie !== 'string') return 'its cookie is wrong'
  if (warmupMs !== undefined && !(Number.isFinite(warmupMs) && warmupMs >= 0))
    return 'its warm-up is wrong'
  if (lastsMs !== undefined && !(Number.isFinite(lastsMs) && lastsMs >= 0))
    return 'its time is wrong'
  const pace = { sizeBytes, ratePerSecond, warmupMs, lastsMs }
  return { mode: mode as Mode, id, seed, flow, cookie, ...pace }
}

/** What the first bytes from the server are. */
export type HelloAnswer =
  | { kind: 'incomplete' }
  /** The server echoes the hello as any bytes. */
  | { kind: 'echoed' }
  /** Frames begin after this many bytes. */
  | { kind: 'frames'; at: number }

/**
 * If the magic came in pieces, the server has echoed some of them, as for any client. No byte of
 * the magic is the first byte of a frame.
 * @param bytes all bytes from the first on
 */
export function readAnswer(bytes: Buffer): HelloAnswer {
  let at = 0
  while (at < bytes.length && at < magic.length && bytes[at] === magic[at]) at++
  if (at === magic.length) return { kind: 'echoed' }
  return at === bytes.length ? { kind: 'incomplete' } : { kind: 'frames', at }
}
