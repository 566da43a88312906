/** Writes ASN.1 values as DER (X.690): only what a certificate needs. */

/** Tag, length, content (X.690, section 8.1). */
export function tagged(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content)]), content])
}

/**
 * The length as one byte; or as the number of length bytes, and then as few bytes as possible
 * (section 10.1).
 */
function lengthOf({ length }: Uint8Array): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff)
  return [0x80 | bytes.length, ...bytes]
}

export const sequence = (...contents: Uint8Array[]): Buffer => tagged(0x30, ...contents)
export const set = (...contents: Uint8Array[]): Buffer => tagged(0x31, ...contents)
export const octets = (content: Uint8Array): Buffer => tagged(0x04, content)
/** `[n]` of a certificate, explicit. */
export const context = (n: number, content: Uint8Array): Buffer => tagged(0xa0 | n, content)
/** @param bytes big-endian, not negative, in as few bytes as it needs */
export const integer = (bytes: Uint8Array): Buffer => tagged(0x02, bytes)
/** @param unused how many of the last bits do not belong to it */
export const bits = (content: Uint8Array, unused = 0): Buffer =>
  tagged(0x03, Buffer.of(unused), content)
/** BOOLEAN TRUE. */
export const yes: Buffer = tagged(0x01, Buffer.of(0xff))

/** An object identifier, as `2.5.4.3` (X.690, section 8.19). */
export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second, ...rest].flatMap(number => {
    const septets = [number & 0x7f]
    for (let left = number >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    return septets
  })
  return tagged(0x06, Buffer.from(bytes))
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280, section 4.1.2.5). */
export function time(date: Date): Buffer {
  const text = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  if (date.getUTCFullYear() >= 2050) return tagged(0x18, Buffer.from(text))
  return tagged(0x17, Buffer.from(text.slice(2)))
}
