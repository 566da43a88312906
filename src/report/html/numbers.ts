/** Figures as the page writes them: a space before the unit, and a dash where there is none. */
import { formatCount, formatDuration, formatSize } from '../../vocabulary/units.ts'

/** Where nothing was measured. */
export const none = '–'

/** No line is broken between a number and its unit. */
const spaced = (text: string): string =>
  text.replace(/(?<=\d)\s*(?=[a-zA-Z])/, '\u00a0').replace(/us$/, 'µs')

const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value)

/** Microseconds → `31.2 µs`, `1.25 ms`. */
export const timeText = (us: number | null | undefined): string =>
  !isNumber(us) ? none : us === 0 ? '0\u00a0s' : spaced(formatDuration(us / 1e3))

export const sizeText = (bytes: number): string =>
  isNumber(bytes) ? spaced(formatSize(bytes)) : none

export const countText = (count: number): string => (isNumber(count) ? formatCount(count) : none)

/** A rate below 100 has decimals. */
export const rateText = (perSecond: number): string =>
  !isNumber(perSecond)
    ? none
    : perSecond >= 100 || Number.isInteger(perSecond)
      ? formatCount(perSecond)
      : String(Number(perSecond.toPrecision(3)))

/** A share of all: `12.5 %`. */
export const shareText = (share: number): string => `${Number((share * 100).toPrecision(3))}\u00a0%`

/** For an axis that ends at `most`: all of it `4,000`, or `250k`, or `1.5M`. */
export function axisCount(value: number, most: number): string {
  if (most <= 10_000 || value === 0) return Number(value.toPrecision(6)).toLocaleString('en-US')
  const units: [string, number][] = [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
  ]
  const [unit, factor] = units.find(([, factor]) => most > factor) ?? ['k', 1e3]
  return `${Number((value / factor).toPrecision(4)).toLocaleString('en-US')}${unit}`
}

/** For an axis, where a tick is a round number: `500 µs`, `1.5 ms`, `1,000 s`. */
export function axisTime(us: number): string {
  const units: [string, number][] = [
    ['s', 1e6],
    ['ms', 1e3],
    ['µs', 1],
  ]
  const [unit, factor] = units.find(([, factor]) => us >= factor) ?? ['ns', 1e-3]
  const number = Number((us / factor).toPrecision(3)).toLocaleString('en-US')
  return us === 0 ? '0' : `${number}\u00a0${unit}`
}

/** `2026-11-23T05:55:12.345Z` → `2026-11-23 05:55:12 UTC`; anything else stays. */
export const dateText = (iso: string): string =>
  iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, '$1 $2 UTC')

/** A point of time in the run: `12 s`, `3:20`, `1:05:00`, as the length of the run needs it. */
export function clockText(second: number, longest: number): string {
  if (longest <= 180) return `${Number(second.toFixed(longest > 2 ? 1 : 3))}\u00a0s`
  const whole = Math.round(second)
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  if (longest < 7200) return `${minutes}:${two(whole % 60)}`
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}
