/** Figures as the page writes them: a space before the unit, a dash where nothing is known. */
import { formatCount, formatSize } from '../src/vocabulary/units.ts'

export { formatCount }

export const none = '–'
/** Peers of unix sockets have no address. */
export const nameOf = ({ peer, id }: { peer: string; id: string }): string =>
  peer || `client${space}${id}`

const space = '\u00a0'

export const sizeText = (bytes: number): string => formatSize(bytes).replace(' ', space)

export const rateSizeText = (bytesPerSecond: number): string => `${sizeText(bytesPerSecond)}/s`

/** Three digits, however large it is. */
const digits = (value: number): string =>
  value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2).replace(/^(\d)\.00$/, '$1')

/** Microseconds. */
export const timeText = (us: number | null): string =>
  us === null
    ? none
    : us >= 999_950
      ? `${digits(us / 1e6)}${space}s`
      : us >= 999.95
        ? `${digits(us / 1e3)}${space}ms`
        : `${digits(us)}${space}µs`

/** For an axis: `0`, `60 ms`. */
export const shortTime = (us: number): string =>
  us === 0
    ? '0'
    : timeText(us)
        .replace(/^(\d+\.\d*?)0+(?=\D)/, '$1')
        .replace(/\.(?=\D)/, '')

/** How long something has been there: `4 s`, `2:05`, `1:02:03`. */
export function ageText(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / 1e3))
  if (whole < 60) return `${whole}${space}s`
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}

/** For an axis: `0`, `500`, `12k`, `1.5M`. */
export function shortText(value: number): string {
  const units: [string, number][] = [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ]
  const [unit, factor] = units.find(([, factor]) => value >= factor) ?? ['', 1]
  return `${Number((value / factor).toPrecision(3))}${unit}`
}

export const clockText = (at: number): string => new Date(at).toLocaleTimeString('en-GB')

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`
