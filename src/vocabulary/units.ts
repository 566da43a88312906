/** Numbers as people write them: one table to parse and to print. Ambiguous text is refused. */
import { usageError } from './errors.ts'

/** The longest timer of Node, almost 25 days: a longer one would end at once. */
export const timerMaxMs = 2 ** 31 - 1

/** Decimal multiples have one letter, binary ones have two (IEC 80000-13). */
const sizeUnits: Record<string, number> = {
  '': 1,
  B: 1,
  k: 1e3,
  kB: 1e3,
  M: 1e6,
  MB: 1e6,
  G: 1e9,
  GB: 1e9,
  Ki: 2 ** 10,
  KiB: 2 ** 10,
  Mi: 2 ** 20,
  MiB: 2 ** 20,
  Gi: 2 ** 30,
  GiB: 2 ** 30,
}
/** In milliseconds. */
const durationUnits: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
}
const countUnits: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9 }
/** In seconds. */
const rateUnits: Record<string, number> = { s: 1, m: 60, h: 3600 }

function parse(text: string, units: Record<string, number>, what: string, examples: string) {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Zµ]*)$/.exec(text.trim())
  const factor = match && Object.hasOwn(units, match[2]!) ? units[match[2]!] : undefined
  if (!match || factor === undefined)
    throw usageError(`'${text}' is not ${what}.`, `Write for example ${examples}.`)
  const value = Number(match[1]) * factor
  if (!Number.isFinite(value) || value > Number.MAX_SAFE_INTEGER)
    throw usageError(`'${text}' is too large for ${what}.`)
  // 1.1 * 1e6 is not a whole number in binary floating point: keep nine decimals.
  return Math.round(value * 1e9) / 1e9 || value
}

function parseWhole(text: string, units: Record<string, number>, what: string, examples: string) {
  const value = parse(text, units, what, examples)
  if (!Number.isInteger(value)) throw usageError(`'${text}' is not a whole number.`)
  return value
}

/** `64`, `64k`, `1MiB` → bytes. */
export const parseSize = (text: string): number =>
  parseWhole(text, sizeUnits, 'a size', '64, 64k (64,000 bytes) or 64KiB (65,536 bytes)')

/** `500us`, `10s`, `5m` → milliseconds. A number without a unit is refused, except 0. */
export const parseDuration = (text: string): number =>
  text.trim() === '0' ? 0 : parse(text, durationUnits, 'a duration', '500us, 20ms, 10s or 5m')

/** `100`, `10k` → a number of things. */
export const parseCount = (text: string): number =>
  parseWhole(text, countUnits, 'a number', '100, 10k or 2M')

/** `500`, `10k`, `10k/s`, `6k/m` → per second. */
export function parseRate(text: string): number {
  const [amount, per = 's', ...rest] = text.split('/').map(part => part.trim())
  const seconds = Object.hasOwn(rateUnits, per) ? rateUnits[per] : undefined
  if (seconds === undefined || rest.length > 0)
    throw usageError(`'${text}' is not a rate.`, 'Write for example 500, 10k/s or 6k/m.')
  return parse(amount!, countUnits, 'a rate', '500, 10k/s or 6k/m') / seconds
}

/** `2%`, `0.5%` → a fraction from 0 to 1. */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())
  const percent = match ? Number(match[1]) : Number.NaN
  if (!(percent <= 100))
    throw usageError(`'${text}' is not a percentage.`, 'Write for example 2% or 0.5%.')
  return percent / 100
}

/** Writes a value in the largest unit that gives at least 1, with three or four digits. */
function format(value: number, units: [string, number][]): string {
  const found = units.findIndex(([, factor]) => Math.abs(value) >= factor)
  const place = found === -1 ? units.length - 1 : found
  const [name, factor] = units[place]!
  // Removes errors of rounding, so that 59 us is not written as 59.0.
  const scaled = Math.round((value / factor) * 1e6) / 1e6
  const size = Math.abs(scaled)
  const digits = size >= 99.95 || Number.isInteger(scaled) ? 0 : size >= 9.995 ? 1 : 2
  const text = scaled.toFixed(digits)
  // Rounded up to a whole of the next unit: 999.7 us is 1 ms.
  const next = units[place - 1]
  const full = next !== undefined && Math.abs(Number(text)) * factor >= next[1]
  return full ? `${Math.sign(value)}${next[0]}` : `${text}${name}`
}

/** Bytes → `1.23 MB`. */
export const formatSize = (bytes: number): string =>
  format(bytes, [
    [' GB', 1e9],
    [' MB', 1e6],
    [' kB', 1e3],
    [' B', 1],
  ])

/** Milliseconds → `31.2us`, `1.25ms`, `10s`. */
export const formatDuration = (ms: number): string =>
  ms === 0
    ? '0s'
    : format(ms, [
        ['h', 3600e3],
        ['m', 60e3],
        ['s', 1e3],
        ['ms', 1],
        ['us', 1e-3],
        ['ns', 1e-6],
      ])

/** 1234567 → `1,234,567`. Not by toLocaleString(), whose first call costs 20 ms. */
export const formatCount = (count: number): string =>
  String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ',')

/** Per second: `1,234/s`; below 100 with decimals, `0.1/s`. */
export const formatRate = (perSecond: number): string =>
  `${perSecond < 100 ? Number(perSecond.toPrecision(3)) : formatCount(perSecond)}/s`

/** Bytes as they can be typed again: `64k`, `1MiB`, `1500`. */
export function exactSize(bytes: number): string {
  const units = ['G', 'M', 'k', 'GiB', 'MiB', 'KiB'] as const
  const unit =
    bytes > 0 ? units.find(name => Number.isInteger(bytes / sizeUnits[name]!)) : undefined
  return unit === undefined ? String(bytes) : `${bytes / sizeUnits[unit]!}${unit}`
}

/** Milliseconds as they can be typed again: `50ms`, `1.5s`. */
export function exactDuration(ms: number): string {
  const text = formatDuration(ms)
    .replace(/(\.\d*?)0+(?=[a-z])/, '$1')
    .replace(/\.(?=[a-z])/, '')
  return ms > 0 && ms < Infinity && parseDuration(text) === ms ? text : `${ms}ms`
}

/** A fraction as it can be typed again: `0.5%`. */
export function exactPercent(fraction: number): string {
  const percent = Number((fraction * 100).toPrecision(15))
  // JavaScript writes small numbers with an exponent, which people do not.
  return `${percent > 0 && percent < 1e-6 ? percent.toFixed(18).replace(/0+$/, '') : percent}%`
}

/** One noun in the right number: `1 client`, `2 clients`. */
export const plural = (count: number, noun: string): string =>
  `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
