/** HTML by template: whatever is put in is escaped, unless it is markup itself. */
import { printable } from '../../vocabulary/text.ts'

/** Text that needs no escaping any more. Only `html` makes it. */
export class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** What a template may contain; nothing is shown for what is not there. */
export type Content = Markup | string | number | null | undefined | false | readonly Content[]

const special = /[&<>"']/g
const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
/** Control characters, lone surrogates, and what is invisible or turns text around. */
const hidden = /[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu

export const escapeHtml = (text: string): string =>
  text
    .replace(hidden, character => printable(character))
    .replace(special, character => entities[character]!)

function toText(part: Content): string {
  if (part === null || part === undefined || part === false) return ''
  if (part instanceof Markup) return part.toString()
  if (Array.isArray(part)) return (part as readonly Content[]).map(toText).join('')
  // A file that was edited may have anything where a number belongs.
  return escapeHtml(String(part))
}

/** Good for text and for attributes in double quotes. How the template is indented is left out. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Content[]): Markup =>
  new Markup(
    strings.reduce(
      (text, string, index) => text + toText(parts[index - 1]) + string.replace(/\s*\n\s*/g, '\n'),
      '',
    ),
  )
