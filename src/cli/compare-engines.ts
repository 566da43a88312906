/** yodel compare-engines: what a thread per client gains, and what it costs, in one picture. */
import type { Command } from '@commander-js/extra-typings'
import { checkRoom } from '../bench/enough-descriptors.ts'
import { UserError, usageError } from '../vocabulary/errors.ts'
import { machine } from '../vocabulary/machine.ts'
import { comparisonJson, comparisonText } from '../report/comparison.ts'
import { isRight, type EngineComparison, type Model, type ModelResult } from '../report/models.ts'
import { poolSize } from '../serve.ts'
import { parseCount, parseDuration, parseSize } from '../vocabulary/units.ts'
import { exitCodes } from './exit.ts'
import { value } from './flags.ts'
import { measureRound } from './model-round.ts'
import { canvas, onInterrupt, print, showLive } from './output.ts'
import { checkOutputs, saveAll } from './saving.ts'

const modelNames = ['one', 'threads', 'pool', 'node', 'uring'] as const
type ModelName = (typeof modelNames)[number]

export function completeCompareEngines(bare: Command): void {
  bare
    .option('--connections <n>', 'clients that want to be served at the same time', count, 20)
    .option('--duration <duration>', 'how long each model is measured (default: 1s)', positiveMs)
    .option('--size <size>', 'bytes in a message', value(parsePositive(parseSize)), 64)
    .option('--rounds <n>', 'how often each model is measured; medians are shown', count, 3)
    .option('--pool <n>', 'threads of the pool', count, poolSize())
    .option('--models <list>', `which models (default: ${modelNames.join()})`, value(parseModels))
    .option('--json', 'one JSON document instead of the picture')
    .option('--output <file>', 'write the JSON document to a file')
    .action(async ({ json, output, models = modelNames, pool, duration = 1_000, ...options }) => {
      if (output !== undefined) checkOutputs([output])
      checkRoom(options.connections)
      const { cpu, cores, system } = machine()
      const comparison: EngineComparison = {
        connections: options.connections,
        sizeBytes: options.size,
        durationMs: duration,
        roundsWanted: options.rounds,
        interrupted: false,
        machine: { processor: cpu, cores, system, node: process.versions.node },
        models: models.map(name => ({ ...modelOf(name, pool), rounds: [] })),
      }
      await compare(comparison)
      const document = () => comparisonJson(comparison)
      print(json ? document() : comparisonText(comparison, canvas(process.stdout)))
      if (!isRight(comparison)) process.exitCode = exitCodes.failed
      else if (comparison.interrupted) process.exitCode = exitCodes.interrupted
      if (output !== undefined)
        saveAll([{ path: output, text: document, silent: true }], json ? undefined : document)
    })
}

const parsePositive = (parse: (text: string) => number) => (text: string) => {
  const number = parse(text)
  if (number <= 0) throw usageError('It must be more than 0.')
  return number
}
const count = value(parsePositive(parseCount))
const positiveMs = value(parsePositive(parseDuration))

function parseModels(list: string): ModelName[] {
  const names = list.split(',').map(name => name.trim())
  const unknown = names.find(name => !modelNames.some(known => known === name))
  if (unknown !== undefined)
    throw usageError(`There is no model '${unknown}'.`, `There are ${modelNames.join(', ')}.`)
  // Always in the same order, so that pictures can be compared.
  return modelNames.filter(name => names.includes(name))
}

function modelOf(name: ModelName, pool: number): Model {
  const models: Record<ModelName, Omit<Model, 'name'>> = {
    one: { label: 'one at a time', engine: 'blocking', concurrency: 1 },
    threads: { label: 'thread per client', engine: 'blocking', concurrency: Infinity },
    pool: { label: `pool of ${pool}`, engine: 'blocking', concurrency: pool },
    node: { label: 'event loop', engine: 'node', concurrency: Infinity },
    uring: { label: 'io_uring', engine: 'uring', concurrency: Infinity },
  }
  return { name, ...models[name] }
}

/**
 * Measures all models in interleaved rounds, so that a slow phase of the machine affects all of
 * them.
 */
async function compare(comparison: EngineComparison): Promise<void> {
  const interruption = new AbortController()
  const restore = onInterrupt(() => {
    comparison.interrupted = true
    interruption.abort()
  })
  let doing = ''
  const stopShowing = showLive(() => doing)
  try {
    for (let round = 1; round <= comparison.roundsWanted; round++) {
      for (const model of comparison.models) {
        if (comparison.interrupted) return
        const turn =
          comparison.roundsWanted > 1 ? ` (round ${round} of ${comparison.roundsWanted})` : ''
        const onStage = (stage: string) => (doing = `${model.label}${turn}: ${stage}`)
        await measure(model, comparison, interruption.signal, onStage)
      }
    }
  } finally {
    stopShowing()
    restore()
  }
}

/** One more round of a model, unless its engine is not available. */
async function measure(
  model: ModelResult,
  options: EngineComparison,
  signal: AbortSignal,
  onStage: (stage: string) => void,
) {
  if (model.unavailable !== undefined) return
  try {
    model.rounds.push(await measureRound(model, options, signal, onStage))
  } catch (error) {
    // After an interruption, errors of the servers do not matter.
    if (signal.aborted) return
    if (!(error instanceof UserError)) throw error
    model.unavailable = error.message
    // A server that does not start has refused; one that stops later has failed.
    model.failed = error.kind === 'network'
  }
}
