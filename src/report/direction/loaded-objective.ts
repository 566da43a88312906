/** Objectives of latency under load such as `added.p50<30ms`. */
import { usageError } from '../../vocabulary/errors.ts'
import { splitCondition, type Operator } from '../objective.ts'
import type { Distribution, ObjectiveResult } from '../result.ts'
import { judged, limitOf, type DirectionKind } from './objective.ts'

type AddedRank = 'p50' | 'p90' | 'p99' | 'max'

interface LoadedFigures {
  idleUs: Distribution
  loadedUs: Distribution
  addedUs: Partial<Record<AddedRank, number>>
  roundTripsPerMinute: number | null
  responsiveness?: { rpm: number | null }
}

export interface LoadedObjective {
  /** The text as the user wrote it. */
  text: string
  kind: DirectionKind
  of: (figures: LoadedFigures) => number | null | undefined
  operator: Operator
  limit: number
}

const hint =
  'Metrics are p50, p90, p99 and max with the prefix idle., loaded. or added.; also perMinute, ' +
  'and on https rpm: ' +
  "'added.p50<30ms', 'perMinute>=1000'."

/** @throws UserError if the text is not an objective, or names a figure that is not measured */
export function parseLoadedObjective(text: string, isHttps: boolean): LoadedObjective {
  const parts = splitCondition(text)
  if (!parts) throw usageError(`'${text}' is not an objective.`, `Write METRIC OP VALUE. ${hint}`)
  const found = figureOf(parts.name)
  if (!found) throw usageError(`There is no metric '${parts.name}' of a path under load.`, hint)
  if (parts.name === 'rpm' && !isHttps)
    throw usageError(`'${text}': RPM is defined for https only.`, "Write 'perMinute>=1000'.")
  const { operator } = parts
  return { text, operator, ...found, limit: limitOf(text, found.kind, parts, hint) }
}

function figureOf(name: string): Pick<LoadedObjective, 'kind' | 'of'> | undefined {
  if (name === 'perMinute')
    return { kind: 'count', of: ({ roundTripsPerMinute }) => roundTripsPerMinute }
  if (name === 'rpm') return { kind: 'count', of: ({ responsiveness }) => responsiveness?.rpm }
  const match = /^(idle|loaded|added)\.(p50|p90|p99|max)$/.exec(name)
  if (!match) return undefined
  const [, part, rank] = match as unknown as [string, 'idle' | 'loaded' | 'added', AddedRank]
  return { kind: 'time', of: figures => figures[`${part}Us`][rank] }
}

export const meetsLoaded = (
  { of, ...objective }: LoadedObjective,
  figures: LoadedFigures,
): ObjectiveResult => judged(objective, of(figures))
