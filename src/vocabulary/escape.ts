/** Escapes characters that are invisible, or that could reorder the text around them. */

/** Characters that are shown unchanged: printable ones, and the space. */
const harmless = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
/** Characters that count as printable, but are invisible, or could reorder the text around them. */
const deceptive = /^[\p{Default_Ignorable_Code_Point}\u2800]$/u

/**
 * Escapes control characters (C0, C1, DEL), bidirectional controls, zero-width and other invisible
 * characters as `\xNN` (ASCII) or `\u{N}`. Newlines and tabs are escaped too, unless `keepLines`.
 */
export function escapeText(text: string, keepLines = false): string {
  let shown = ''
  for (const character of text) {
    const kept = keepLines && (character === '\n' || character === '\t')
    const plain = harmless.test(character) && !deceptive.test(character)
    shown += kept || plain ? character : escape(character)
  }
  return shown
}

function escape(character: string): string {
  const known = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character]
  if (known !== undefined) return known
  const code = character.codePointAt(0)!
  return code <= 0x7f ? escapeByte(code) : `\\u{${code.toString(16)}}`
}

export const escapeByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`
