/** The command that repeats a run. */
import { formatAddress, toAddress, type Address } from '../vocabulary/address.ts'
import { defaultsOf, wordsOf, type Table } from '../options/form.ts'
import { quoted } from '../vocabulary/text.ts'

/** @param rows the rows of the options; options with their default values are left out */
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
