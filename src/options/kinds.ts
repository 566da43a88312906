/** What the values of options can be: each kind reads, writes and checks its values. */
import { usageError, UserError } from '../vocabulary/errors.ts'
import {
  exactDuration,
  exactPercent,
  formatCount,
  parseCount,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
} from '../vocabulary/units.ts'
import type { Kind } from './form.ts'

const none = () => undefined

/** A number of things, from `min` on. */
export const count = ({ min = 1, max = Infinity, unlimited = false } = {}): Kind<number> => ({
  placeholder: '<n>',
  parse: text => (unlimited && text === 'unlimited' ? Infinity : parseCount(text)),
  format: value => [value === Infinity ? 'unlimited' : String(value)],
  mistake(value) {
    if (unlimited && value === Infinity) return undefined
    if (Number.isInteger(value) && value >= min && value <= max) return undefined
    const upTo = max === Infinity ? 'on' : `to ${formatCount(max)}`
    return `must be a whole number from ${min} ${upTo}${unlimited ? ', or unlimited' : ''}.`
  },
})

interface Bounds {
  /** Whether the value may be 0. */
  zero?: boolean
  /** Whether the value may be `unlimited`. */
  endless?: boolean
}

/** A duration, in milliseconds. */
export const duration = ({ zero = true, endless = true }: Bounds = {}): Kind<number> => ({
  placeholder: '<duration>',
  parse: parseDuration,
  format: value => [exactDuration(value)],
  mistake(value) {
    if (!(zero ? value >= 0 : value > 0)) return `must be ${zero ? '0 or more' : 'more than 0'}.`
    return value === Infinity && !endless ? 'must have an end.' : undefined
  },
})

/** A short duration, in microseconds. */
export const microseconds = (): Kind<number> => ({
  placeholder: '<duration>',
  parse: text => parseDuration(text) * 1e3,
  format: value => [`${value}us`],
  mistake: value => (value >= 0 ? undefined : 'must be 0 or more.'),
})

/** The highest rate that makes sense: one message in each nanosecond. */
export const rateMaxPerSecond = 1e9

/** A rate per second. */
export const rate = ({ zero = false, unlimited = false } = {}): Kind<number> => ({
  placeholder: '<rate>',
  parse: text => (unlimited && text === 'unlimited' ? Infinity : parseRate(text)),
  format: value => [value === Infinity ? 'unlimited' : `${value}/s`],
  mistake(value) {
    if (unlimited && value === Infinity) return undefined
    if (zero && value === 0) return undefined
    return value > 0 && value <= rateMaxPerSecond
      ? undefined
      : 'must be more than 0, and at most 1G/s.'
  },
})

/** A number of bytes. */
export const size = ({ max = Infinity, maxText = '' } = {}): Kind<number> => ({
  placeholder: '<size>',
  parse: parseSize,
  format: value => [String(value)],
  mistake: value =>
    Number.isInteger(value) && value >= 1 && value <= max
      ? undefined
      : `must be a whole number of bytes from 1 ${max === Infinity ? 'on' : `to ${maxText}`}.`,
})

/** A fraction from 0 to 1, typed as `5%`. */
export const percent = (mistake: (value: number) => string | undefined = none): Kind<number> => ({
  placeholder: '<percent>',
  parse: parsePercent,
  format: value => [exactPercent(value)],
  mistake,
})

/** A flag: typed or not. */
export const whether = (): Kind<boolean> => ({
  placeholder: '',
  parse: () => true,
  format: value => (value ? [''] : []),
  mistake: none,
})

/** One of a few words. */
export const choice = <const T extends string>(names: readonly T[], noun = 'name'): Kind<T> => ({
  placeholder: `<${noun}>`,
  parse(text) {
    const found = names.find(name => name === text)
    if (found === undefined)
      throw usageError(`'${text}' is not a ${noun}.`, `The ${noun}s are ${names.join(', ')}.`)
    return found
  },
  format: value => [value],
  mistake: value => (names.includes(value) ? undefined : `must be one of ${names.join(', ')}.`),
  choices: names,
})

/** Any text. */
export const text = (placeholder: string): Kind<string> => ({
  placeholder,
  parse: typed => typed,
  format: value => [value],
  mistake: none,
})

/**
 * Text that is kept as it was typed, but checked.
 * @param read throws a UserError if the text cannot be read
 */
export const textFor = (placeholder: string, read: (text: string) => unknown): Kind<string> => ({
  ...text(placeholder),
  mistake(value) {
    try {
      read(value)
      return undefined
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return `cannot be read. ${error.message} ${error.hint}`.trimEnd()
    }
  },
})

/** Text that is parsed into another value. */
export const typedAs = <T>(
  placeholder: string,
  parse: (text: string) => T,
  format: (value: T) => string,
): Kind<T> => ({ placeholder, parse, format: value => [format(value)], mistake: none })

/** The content of a file, as text. @param example a name for a file of that kind */
export const fileText = (example: string): Kind<string> => ({
  placeholder: '<file>',
  parse: content => content,
  // The name of the file is not known any more.
  format: () => [example],
  mistake: none,
  file: true,
})

/** Several of a kind, each typed with its flag. */
export const list = <T>(each: Kind<T>): Kind<T[]> => ({
  placeholder: each.placeholder,
  parse: typed => [each.parse(typed)],
  format: values => values.flatMap(value => each.format(value)),
  mistake: values => values.map(value => each.mistake(value)).find(found => found !== undefined),
  ...(each.choices && { choices: each.choices }),
  many: true,
})

/** A value that only a program can give, since it cannot be typed. */
export const untyped = <T>(): Kind<T> => ({
  placeholder: '',
  parse: () => {
    throw usageError('This option cannot be given on the command line.')
  },
  format: () => [],
  mistake: none,
})
