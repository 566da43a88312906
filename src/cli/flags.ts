/** Flags that several commands have, and how their values are parsed. */
import { readFileSync } from 'node:fs'
import { Argument, InvalidArgumentError } from '@commander-js/extra-typings'
import { defaultAddress, formatAddress, parseAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { option } from '../options/form.ts'
import { whether } from '../options/kinds.ts'

/** Wraps a parser: the parser says what is wrong with the value, and commander names the option. */
export const value =
  <T>(parse: (text: string) => T) =>
  (text: string): T => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      throw new InvalidArgumentError(`${error.message} ${error.hint}`.trim())
    }
  }

/** Collects the values of an option that may be typed several times. */
export const repeatable =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[] = []): T[] => [...before, value(parse)(text)]

/** The content of a file that an option names. */
export function fileContent(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InvalidArgumentError(`Cannot read it: ${(error as Error).message}.`)
  }
}

/** The flags of a command that reports. */
export const jsonOption = {
  json: option(whether(), {
    default: false,
    flag: 'json',
    help: 'report as one JSON document',
  }),
}

/** The argument for the address. */
export const addressArgument = (description: string) =>
  new Argument('[address]', description)
    .argParser(value(parseAddress))
    .default(defaultAddress, formatAddress(defaultAddress))
