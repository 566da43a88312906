/**
 * Text for people and for shells. Text from the network cannot move the cursor, or be invisible.
 */
import { isUtf8 } from 'node:buffer'
import { escapeByte, escapeText } from './escape.ts'

/** Escapes like `escapeText`; each byte that is not UTF-8 is shown as `\xNN`. */
export function printable(data: Uint8Array | string, { keepLines = false } = {}): string {
  if (typeof data === 'string') return escapeText(data, keepLines)
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (isUtf8(bytes)) return escapeText(bytes.toString(), keepLines)
  // Not all of it is UTF-8, or it was cut within a character. The rest may be readable.
  let shown = ''
  for (let at = 0; at < bytes.length;) {
    const character = bytes.subarray(at, at + utf8Length(bytes[at]!))
    const right = isUtf8(character)
    shown += right ? escapeText(character.toString(), keepLines) : escapeByte(bytes[at]!)
    at += right ? character.length : 1
  }
  return shown
}

/** How many bytes the character has that begins with this byte (RFC 3629, section 3). */
const utf8Length = (first: number): number =>
  first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4

/** `000010  48 65 6c 6c 6f                                    Hello` a line for 16 bytes. */
export function hexDump(data: Uint8Array, offset = 0): string {
  const lines: string[] = []
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16)
    const hex = Array.from(row, byte => byte.toString(16).padStart(2, '0')).join(' ')
    const text = Array.from(row, byte =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('')
    lines.push(`${(offset + at).toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text}`)
  }
  return lines.join('\n')
}

/** `host:port` for people; IPv4 within IPv6 is shown as IPv4. Empty without a host. */
export function peerText(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return ''
  const bare = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host
  return bare.includes(':') ? `[${bare}]:${port}` : `${bare}:${port}`
}

/** Words as a part of a sentence: `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[], last: 'and' | 'or' = 'and'): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
}

/** A word quoted for a shell; control characters are written as in $'...'. */
export function quoted(word: string): string {
  if (/^[\w./:@%+,-][\w./:@%+,~=-]*$/.test(word)) return word
  // oxlint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(word)) return `'${word.replaceAll("'", String.raw`'\''`)}'`
  const escaped = JSON.stringify(word)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
  return `$'${escaped.replaceAll("'", String.raw`\'`)}'`
}
