/** What a comparison of the models of serving found out: a picture, or a document. */
import { formatCount, formatDuration, formatSize, plural } from '../vocabulary/units.ts'
import { barBlock, wrap, type Bar, type Canvas } from './bars.ts'
import { conclusions } from './conclusion.ts'
import { failuresOf, isRight, medianOfRounds } from './models.ts'
import type { EngineComparison, ModelFigure, ModelResult } from './models.ts'

const micros = (us: number) => formatDuration(us / 1e3)

/** The figures that are drawn, each with its title, and how a value is written. */
const pictures: [ModelFigure, title: string, format: (value: number) => string][] = [
  ['servedClients', 'Clients served at the same time', formatCount],
  ['ratePerSecond', 'Echoes per second: longer is better', formatCount],
  ['p50Us', 'Round trip, median: shorter is better', micros],
  ['p99Us', 'Round trip, p99: shorter is better', micros],
  ['cpuPerEchoUs', 'Server CPU per echo: shorter is better', micros],
  [
    'memoryPerClientBytes',
    'Memory per client: shorter is better',
    bytes => formatSize(atLeast0(bytes)),
  ],
]

/** A server may have freed memory meanwhile; memory per client is never below 0. */
const atLeast0 = (bytes: number) => Math.max(0, Math.round(bytes))

/** A block of bars for each figure, then what follows from them. */
export function comparisonText(comparison: EngineComparison, canvas: Canvas): string {
  const { connections, sizeBytes, durationMs, machine, models, roundsWanted } = comparison
  const measured = models.filter(({ rounds }) => rounds.length > 0)
  const rounds = roundsWanted > 1 ? `, median of ${roundsWanted} rounds` : ''
  const paragraphs = [
    wrap(
      `yodel compare-engines: ${plural(connections, 'client')}, ${formatSize(sizeBytes)} ` +
        `messages, ${formatDuration(durationMs)} each${rounds}`,
      canvas.columns,
    ).concat(wrap(machineText(machine), canvas.columns)),
  ]
  if (measured.length > 0) {
    for (const [figure, title, format] of pictures)
      paragraphs.push(barBlock(title, barsOf(measured, figure, format), canvas))
  }
  const remarks = [...models.flatMap(remarksOn), ...conclusions(comparison)]
  if (comparison.interrupted) remarks.push('Interrupted: only what had finished is counted.')
  paragraphs.push(...remarks.map(remark => wrap(remark, canvas.columns)))
  // Each block of bars stands alone; sentences follow each other.
  const [head, ...blocks] = paragraphs.slice(0, paragraphs.length - remarks.length)
  const sentences = paragraphs.slice(paragraphs.length - remarks.length).flat()
  const parts = [head!, ...blocks, ...(sentences.length > 0 ? [sentences] : [])]
  return `${parts.map(lines => lines.join('\n')).join('\n\n')}\n`
}

const machineText = ({ processor, cores, system, node }: EngineComparison['machine']): string =>
  `${processor}, ${plural(cores, 'core')}, ${system}, Node ${node}`

const barsOf = (
  models: ModelResult[],
  figure: ModelFigure,
  format: (value: number) => string,
): Bar[] =>
  models.map(model => {
    const value = medianOfRounds(model, figure)
    return { label: model.label, value, text: value === undefined ? 'n/a' : format(value) }
  })

function remarksOn(model: ModelResult): string[] {
  const failures = Object.entries(failuresOf(model)).map(([name, n]) => `${name} ${formatCount(n)}`)
  const remarks = failures.length > 0 ? [`FAILED: ${model.label}: ${failures.join(', ')}.`] : []
  if (model.unavailable !== undefined)
    remarks.push(
      `${model.failed ? 'FAILED' : 'Not measured'}: ${model.label}: ${model.unavailable}`,
    )
  return remarks
}

/** One document; every figure is the median of its rounds, which follow. */
export function comparisonJson(comparison: EngineComparison): string {
  const { models, machine, interrupted, roundsWanted, ...run } = comparison
  return `${JSON.stringify(
    {
      verdict: isRight(comparison) ? 'pass' : 'fail',
      interrupted,
      run: { command: 'compare-engines', ...run, rounds: roundsWanted },
      machine,
      models: models.map(modelJson),
      conclusions: conclusions(comparison),
    },
    nullForUnknown,
  )}\n`
}

/** Writes null for unknown values, so that every key is always there. */
const nullForUnknown = (_key: string, value: unknown): unknown => value ?? null

function modelJson(model: ModelResult) {
  const { name, label, engine, concurrency, rounds, unavailable = null } = model
  const figure = (name: ModelFigure) => medianOfRounds(model, name) ?? null
  return {
    name,
    label,
    engine,
    concurrency: Number.isFinite(concurrency) ? concurrency : 'unlimited',
    unavailable,
    servedClients: figure('servedClients'),
    ratePerSecond: figure('ratePerSecond'),
    roundTripUs: { p50: figure('p50Us'), p99: figure('p99Us') },
    cpuPerEchoUs: figure('cpuPerEchoUs'),
    memoryPerClientBytes: figure('memoryPerClientBytes'),
    startMs: figure('startMs'),
    admissionMs: figure('admissionMs'),
    loadCpuShare: figure('loadCpuShare'),
    failures: failuresOf(model),
    rounds,
  }
}
