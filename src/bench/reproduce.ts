/** What to type to do the same again. */
import { formatAddress, toAddress, type Address } from '../address.ts'
import { defaultsOf, wordsOf, type Table } from '../options/form.ts'

/** @param rows of the options: what is as usual need not be said */
export function reproduce(
  command: string,
  address: string | Address,
  rows: Table,
  options: object,
): string {
  const url = typeof address === 'string' ? address : formatAddress(toAddress(address))
  const words = wordsOf(rows, options, defaultsOf(rows))
  return ['yodel', command, url, ...words].map(quoted).join(' ')
}

/** As a shell takes it; control characters as $'...' has them. */
export function quoted(word: string): string {
  if (/^[\w./:@%+,-][\w./:@%+,~=-]*$/.test(word)) return word
  // oxlint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(word)) return `'${word.replaceAll("'", String.raw`'\''`)}'`
  const escaped = JSON.stringify(word)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
  return `$'${escaped.replaceAll("'", String.raw`\'`)}'`
}
