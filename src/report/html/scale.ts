/** From values to places on the page, linear or logarithmic, with round ticks. */

export interface Scale {
  /** Where a value lies. What is outside is moved to the edge. */
  at: (value: number) => number
  ticks: number[]
  log: boolean
  /** The ends, which are at or beyond those that were asked for. */
  min: number
  max: number
}

interface Span {
  min: number
  max: number
  /** Places of the two ends. */
  from: number
  to: number
  /** About how many ticks there are; there may be fewer. */
  ticks: number
}

/** Values that differ by more than this factor cannot be read on a linear axis. */
const wideRatio = 25
export const isWide = (min: number, max: number): boolean => min > 0 && max / min > wideRatio

export const fittingScale = (span: Span): Scale =>
  isWide(span.min, span.max) ? logScale(span) : linearScale({ ...span, min: 0 })

/** The steps in which people count, and those of the clock. */
const decimalSteps = [1, 2, 5]
const clockSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200]

/** The smallest round step that needs at most this many ticks. */
function roundStep(range: number, ticks: number): number {
  const power = 10 ** Math.floor(Math.log10(range / ticks))
  return power * ([...decimalSteps, 10].find(step => step * power * ticks >= range) ?? 10)
}

const clockStep = (range: number, ticks: number): number =>
  clockSteps.find(step => step * ticks >= range) ?? Math.ceil(range / ticks / 86_400) * 86_400

/** From `min` on to the next round number after `max`. */
export function linearScale({ min, max, from, to, ticks }: Span): Scale {
  const range = max - min > 0 ? max - min : Math.abs(max) || 1
  const step = roundStep(range, ticks)
  const end = min + Math.ceil(range / step - 1e-9) * step
  const count = Math.round((end - min) / step)
  return {
    at: place(value => (value - min) / (end - min), from, to),
    ticks: Array.from({ length: count + 1 }, (_, index) => min + index * step),
    log: false,
    min,
    max: end,
  }
}

/** Seconds of a run, from 0 to `max` exactly. */
export function timeScale({ max, from, to, ticks }: Omit<Span, 'min'>): Scale {
  const end = max > 0 ? max : 1
  const step = end < ticks ? roundStep(end, ticks) : clockStep(end, ticks)
  return {
    at: place(value => value / end, from, to),
    ticks: Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step),
    log: false,
    min: 0,
    max: end,
  }
}

/** From the round number below `min` to the one above `max`; both are more than 0. */
export function logScale({ min, max, from, to, ticks }: Span): Scale {
  const first = indexBelow(min)
  const last = Math.max(indexAbove(max), first + 1)
  const width = last - first
  // All of 1, 2, 5, 10, 20 ..., or only the decades, or every second, third ... of them.
  const decades = Math.ceil(width / 3)
  const every = width < ticks + 4 ? 1 : 3 * Math.max(1, Math.ceil(decades / ticks))
  const shown = Array.from({ length: width + 1 }, (_, index) => first + index).filter(
    index => index % every === 0,
  )
  const [start, end] = [roundValue(first), roundValue(last)]
  const length = Math.log(end / start)
  return {
    at: place(value => (value > 0 ? Math.log(value / start) / length : 0), from, to),
    ticks: shown.map(roundValue),
    log: true,
    min: start,
    max: end,
  }
}

/** The round numbers ... 0.5, 1, 2, 5, 10, 20 ... by their index; 1 is the 0th. */
function roundValue(index: number): number {
  const power = Math.floor(index / 3)
  return Number(`${decimalSteps[index - 3 * power]}e${power}`)
}

/** Indexes of the round numbers around a value. */
function roundIndexes(value: number): number[] {
  const decade = 3 * Math.floor(Math.log10(value))
  return Array.from({ length: 7 }, (_, index) => decade - 1 + index)
}
const indexBelow = (value: number): number =>
  roundIndexes(value).findLast(index => roundValue(index) <= value * (1 + 1e-9))!
const indexAbove = (value: number): number =>
  roundIndexes(value).find(index => roundValue(index) >= value * (1 - 1e-9))!

/** Two decimals are finer than a screen. */
const place =
  (share: (value: number) => number, from: number, to: number) =>
  (value: number): number =>
    Number((from + Math.max(0, Math.min(1, share(value))) * (to - from)).toFixed(2))
