/** Untrusted bytes as text that cannot move a cursor, ring a bell or hide itself. */

/** May be shown as they are: everything printable, and the space. */
const harmless = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
/** Printable by category, but invisible or able to reorder what stands around them. */
const deceptive = /^[\p{Default_Ignorable_Code_Point}\u2800]$/u

/**
 * Escapes control characters (C0, C1, DEL), bidirectional controls, zero-width and other invisible
 * characters as `\xNN` or `\u{N}`, and bytes that are no UTF-8 as `\xNN`. Newlines and tabs are
 * escaped too, unless `keepLines`.
 */
export function printable(data: Uint8Array | string, { keepLines = false } = {}): string {
  if (typeof data === 'string') return escapeText(data, keepLines)
  try {
    return escapeText(new TextDecoder('utf-8', { fatal: true }).decode(data), keepLines)
  } catch {
    // Not UTF-8 as a whole: show ASCII as text and every other byte by its value.
    return escapeText(Buffer.from(data).toString('latin1'), keepLines, 0x7e)
  }
}

function escapeText(text: string, keepLines: boolean, highest = 0x10ffff): string {
  let shown = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    const kept = keepLines && (character === '\n' || character === '\t')
    const plain = code <= highest && harmless.test(character) && !deceptive.test(character)
    shown += kept || plain ? character : escape(character, code)
  }
  return shown
}

function escape(character: string, code: number): string {
  const known = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\' }[character]
  if (known !== undefined) return known
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

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
