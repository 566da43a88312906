/** Objectives of a direction such as `up.rate>=10Mbit/s`: parsed, and compared with a result. */
import type { Direction } from '../../load/direction/thread-flows.ts'
import type { Address } from '../../vocabulary/address.ts'
import { UserError, usageError } from '../../vocabulary/errors.ts'
import { isDatagrams, isOverTcp } from '../../vocabulary/transport.ts'
import { formatCount, formatDuration } from '../../vocabulary/units.ts'
import { parseCount, parseDuration, parsePercent } from '../../vocabulary/units.ts'
import { compare, formatFigure, missedText, splitCondition, type Operator } from '../objective.ts'
import type { Distribution, ObjectiveResult } from '../result.ts'
import { formatBits } from './bits.ts'
import type { DirectionFigures } from './figures.ts'

type OneDirection = 'up' | 'down'
export type DirectionKind = 'bits' | 'time' | 'fraction' | 'count'

interface DirectionFigure {
  kind: DirectionKind
  /** The figure; undefined if only datagrams have it, or if the kernel does not tell it. */
  of: (figures: DirectionFigures) => number | null | undefined
  where?: 'datagrams' | 'tcp'
}

const ofDatagrams = (
  kind: DirectionKind,
  of: (datagrams: NonNullable<DirectionFigures['datagrams']>) => number | null,
): DirectionFigure => ({
  kind,
  of: ({ datagrams }) => datagrams && of(datagrams),
  where: 'datagrams',
})

/** A new figure is a line here. */
const figures: Record<string, DirectionFigure> = {
  rate: {
    kind: 'bits',
    of: ({ bytesPerSecond }) => (bytesPerSecond === null ? null : bytesPerSecond * 8),
  },
  wrong: { kind: 'count', of: ({ wrongBytes }) => wrongBytes },
  retransmits: { kind: 'count', of: ({ tcp }) => tcp?.retransmits, where: 'tcp' },
  loss: ofDatagrams('fraction', ({ sent, lost }) => (sent && lost !== null ? lost / sent : null)),
  lost: ofDatagrams('count', ({ lost }) => lost),
  duplicated: ofDatagrams('count', ({ duplicated }) => duplicated),
  reordered: ofDatagrams('count', ({ reordered }) => reordered),
  jitter: ofDatagrams('time', ({ jitterUs }) => jitterUs),
  late: ofDatagrams('time', ({ lateUs }) => lateUs),
}

type Times = (figures: DirectionFigures) => Distribution | undefined
const distributions: Record<string, { of: Times; where?: 'datagrams' }> = {
  gap: { of: ({ gapUs }) => gapUs },
  variation: { of: ({ datagrams }) => datagrams?.variationUs, where: 'datagrams' },
  between: { of: ({ datagrams }) => datagrams?.betweenUs, where: 'datagrams' },
}
const ranks: Record<string, keyof Distribution> = {
  min: 'min',
  mean: 'mean',
  p50: 'p50',
  p90: 'p90',
  p99: 'p99',
  'p99.9': 'p999',
  'p99.99': 'p9999',
  max: 'max',
}

const hint =
  `There are ${Object.keys(figures).join(', ')}, and ${Object.keys(ranks).join(', ')} of ` +
  `${Object.keys(distributions).join(', ')}, each after up. or down.: 'up.rate>=10Mbit/s', ` +
  `'down.loss<1%', 'up.gap.p99<50ms'.`

export interface DirectionObjective extends DirectionFigure {
  /** The text as the user wrote it. */
  text: string
  side: OneDirection
  operator: Operator
  /** Bits per second, microseconds, a fraction or a count. */
  limit: number
}

/** @throws UserError if the text is not an objective of a direction */
export function parseDirectionObjective(text: string): DirectionObjective {
  const parts = splitCondition(text)
  if (!parts) throw usageError(`'${text}' is not an objective.`, `Write METRIC OP VALUE. ${hint}`)
  const [, side, name] = /^(up|down)\.(.+)$/.exec(parts.name) ?? []
  const figure = name === undefined ? undefined : figureOf(name)
  if (!figure) throw usageError(`There is no metric '${parts.name}' of a direction.`, hint)
  const limit = limitOf(text, figure.kind, parts, hint)
  return { ...figure, text, side: side as OneDirection, operator: parts.operator, limit }
}

/**
 * The value in the unit of its kind.
 * @throws UserError if the text is not a value of that kind
 */
export function limitOf(
  text: string,
  kind: DirectionKind,
  { name, value }: { name: string; value: string },
  hint: string,
): number {
  const { what, parse } = values[kind]
  try {
    return parse(value)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw usageError(`'${text}': ${name} is ${what}, not '${value}'.`, hint)
  }
}

function figureOf(name: string): DirectionFigure | undefined {
  if (Object.hasOwn(figures, name)) return figures[name]
  const [, prefix = '', rank = ''] = /^(\w+)\.(.+)$/.exec(name) ?? []
  if (!Object.hasOwn(distributions, prefix) || !Object.hasOwn(ranks, rank)) return undefined
  const { of, ...where } = distributions[prefix]!
  return { kind: 'time', of: figures => of(figures)?.[ranks[rank]!], ...where }
}

const bitUnits = { '': 1, k: 1e3, M: 1e6, G: 1e9 }

function parseBits(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kMG]?)bit\/s$/.exec(text) ?? []
  if (number === undefined) throw usageError(`'${text}' is not a rate.`)
  return Number(number) * bitUnits[unit as keyof typeof bitUnits]
}

/** How the value of each kind is read, and written with enough digits to differ from the limit. */
const values: Record<
  DirectionKind,
  { what: string; parse: (text: string) => number; format: (value: number) => string }
> = {
  bits: {
    what: 'a rate such as 10Mbit/s',
    parse: parseBits,
    format: bits => formatBits(bits / 8),
  },
  time: {
    what: 'a duration such as 5ms',
    parse: text => parseDuration(text) * 1e3,
    format: us => formatDuration(us / 1e3),
  },
  fraction: {
    what: 'a percentage such as 0.1%',
    parse: text => (text === '0' ? 0 : parsePercent(text)),
    format: share => formatFigure('fraction', share),
  },
  count: { what: 'a number such as 0', parse: parseCount, format: formatCount },
}

/** @throws UserError if an objective names a figure that is not measured */
export function checkMeasured(
  objectives: readonly DirectionObjective[],
  direction: Direction,
  address: Address,
): void {
  for (const { text, side, where } of objectives) {
    if (direction !== 'both' && direction !== side)
      throw usageError(
        `'${text}': nothing is sent ${side}.`,
        `Measure --direction ${side} or both.`,
      )
    if (where === 'datagrams' && !isDatagrams(address))
      throw usageError(`'${text}' is for udp: elsewhere no datagram can be lost.`, hint)
    if (where === 'tcp' && !isOverTcp(address))
      throw usageError(`'${text}' is not for ${address.transport}: it is a figure of TCP.`, hint)
  }
}

/** What became of an objective. */
export function meetsDirection(
  { side, of, ...objective }: DirectionObjective,
  result: Partial<Record<OneDirection, DirectionFigures>>,
): ObjectiveResult {
  const figures = result[side]
  return judged(objective, figures && of(figures))
}

interface Limit {
  text: string
  kind: DirectionKind
  operator: Operator
  limit: number
}

/** Judges an objective. If its figure is not known, it does not hold. */
export function judged(
  { text, kind, operator, limit }: Limit,
  measured: number | null | undefined,
): ObjectiveResult {
  if (measured == null)
    return { objective: text, measured: null, measuredText: 'not known', held: false }
  const { format } = values[kind]
  const same = measured !== limit && format(measured) === format(limit)
  const measuredText = same ? `${format(measured)} (${measured})` : format(measured)
  return { objective: text, measured, measuredText, held: compare(measured, operator, limit) }
}

/** A sentence for each objective that does not hold. */
export const missedOf = (expectations: readonly ObjectiveResult[]): string[] =>
  expectations.filter(({ held }) => !held).map(missedText)
