/**
 * The seal of a message: an HMAC-SHA256 of the token over its topic and all of it. Without a token
 * there is no seal; that is only for the loopback.
 *
 *   version 1 | seal 32 | length of the words 4 | words (JSON) | bytes
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

const formatVersion = 1
const sealBytes = 32
const headBytes = 1 + sealBytes + 4
/** Words are short; long content follows as bytes. */
const wordsMaxBytes = 1 << 20

export interface Opened<Words> {
  words: Words
  bytes: Buffer
}

const sealOf = (token: string | undefined, topic: string, rest: Uint8Array): Buffer =>
  token === undefined
    ? Buffer.alloc(sealBytes)
    : createHmac('sha256', token).update(`${topic}\0`).update(rest).digest()

export function seal(
  token: string | undefined,
  topic: string,
  words: object,
  bytes: Uint8Array = Buffer.alloc(0),
): Buffer {
  const text = Buffer.from(JSON.stringify(words))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  const rest = Buffer.concat([length, text, bytes])
  return Buffer.concat([Buffer.of(formatVersion), sealOf(token, topic, rest), rest])
}

/**
 * Opens a message; undefined if it was not sealed with that token, or is not one of our messages.
 */
export function unseal<Words>(
  token: string | undefined,
  topic: string,
  message: Buffer,
): Opened<Words> | undefined {
  if (message.length < headBytes || message[0] !== formatVersion) return undefined
  const rest = message.subarray(1 + sealBytes)
  const found = message.subarray(1, 1 + sealBytes)
  if (!timingSafeEqual(found, sealOf(token, topic, rest))) return undefined
  const length = rest.readUInt32BE(0)
  if (length > wordsMaxBytes || length > rest.length - 4) return undefined
  try {
    const words = JSON.parse(rest.toString('utf8', 4, 4 + length)) as Words
    if (typeof words !== 'object' || words === null || Array.isArray(words)) return undefined
    return { words, bytes: rest.subarray(4 + length) }
  } catch {
    return undefined
  }
}

/** The password for the embedded broker, derived from the token; the token itself is never sent. */
export const passwordOf = (token: string): string =>
  createHmac('sha256', token).update('yodel broker').digest('hex')
