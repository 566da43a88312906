/** yodel bench: measure rate and round trips, with a verdict. */
import type { Command } from '@commander-js/extra-typings'
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { benchDefaults, durationOf, withRateOfStages } from '../bench.ts'
import { bench, type BenchAnywhere } from '../fleet/bench.ts'
import { fleetOptions } from '../fleet/options.ts'
import { usageError } from '../vocabulary/errors.ts'
import { loadOption } from '../load/direction/loaded.ts'
import { directionOption } from '../load/direction/options.ts'
import { benchOptions, searchOptions } from '../load/options.ts'
import { shareOf } from '../load/counted.ts'
import { partOfSlice, sizeOf } from '../load/part.ts'
import { stagesOf } from '../load/stages.ts'
import { parseInstant } from '../vocabulary/instant.ts'
import { fromFlags } from '../options/form.ts'
import { findMaxFormatFor } from '../report/formats.ts'
import { plannedStages } from '../report/stage-beginnings.ts'
import { lowerBackgroundThreads } from '../threads/background.ts'
import { exitCodes } from './exit.ts'
import { addressArgument } from './flags.ts'
import { showLoad, streamIntervals } from './live.ts'
import { addTables, type Tables } from './option-flags.ts'
import { loadExit, standingExit } from './load-exit.ts'
import { canvas, leaveUnconnected, leaveWaiting, onInterrupt, print, tell } from './output.ts'
import { afterwards, withFleet } from './fleet-flags.ts'
import {
  drawsNothing,
  outputFrom,
  outputOptions,
  printResult,
  saveOutput,
} from './result-output.ts'
import type { OutputOptions } from './result-output.ts'
import { roundsFlags, wantsRounds } from './rounds-flags.ts'
import { checkOutputs, saveResult } from './saving.ts'
import { scenarioTable, withScenario } from './scenario.ts'

const { calling, ...own } = benchOptions
const directionTable = { direction: directionOption, load: loadOption }
export const benchTables: Tables = [
  [undefined, scenarioTable],
  [undefined, own],
  [undefined, directionTable],
  [undefined, searchOptions],
  [undefined, outputOptions],
  ['Rounds:', roundsFlags],
  ['Agents:', fleetOptions],
  ['Transports:', { calling }],
]

export function completeBench(bare: Command): void {
  const command = bare.addArgument(addressArgument('what to measure'))
  addTables(command, benchTables)
  command.action(async (...typed) => {
    const given = { address: typed[0], flags: typed[1] }
    const { address, flags } = await withScenario(command, benchTables, given)
    const { json, ndjson, files } = outputFrom(flags)
    const { direction = 'echo', load: filling } = fromFlags(directionTable, flags)
    const rows = { ...benchOptions, ...searchOptions, ...roundsFlags, ...fleetOptions }
    if (filling !== undefined) {
      if (direction !== 'echo') throw usageError('--load and --direction cannot be used together.')
      const { measureUnderLoad } = await import('./loaded.ts')
      const paths = files.map(({ path }) => path)
      return measureUnderLoad(address, flags, { rows, json, ndjson, paths })
    }
    if (direction !== 'echo') {
      const { sendDirection } = await import('./direction.ts')
      const paths = files.map(({ path }) => path)
      return sendDirection(address, flags, { command: 'bench', rows, json, ndjson, paths })
    }
    const load: BenchAnywhere = withFleet(fromFlags(benchOptions, flags), flags)
    const { objective, precision } = fromFlags(searchOptions, flags)
    if (precision !== undefined && objective === undefined)
      throw usageError('--precision is for --find-max.')
    lowerBackgroundThreads()
    const rounds = fromFlags(roundsFlags, flags)
    if (wantsRounds(rounds)) {
      if (objective !== undefined)
        throw usageError('--find-max and --against cannot be used together.')
      const paths = files.map(({ path }) => path)
      const { measureRounds } = await import('./bench-rounds.ts')
      return measureRounds(address, load, rounds, { json, ndjson, paths })
    }
    if (objective === undefined) return measure(address, load, { json, ndjson, files })
    if (ndjson) throw usageError('--find-max prints text or --json, not --ndjson.')
    const paths = files.map(({ path }) => path)
    return search(
      address,
      load,
      { objective, ...(precision !== undefined && { precision }) },
      { json, paths },
    )
  })
}

async function measure(
  address: Address,
  options: BenchAnywhere,
  output: OutputOptions,
): Promise<void> {
  checkOutputs(output.files.map(({ path }) => path))
  const run = bench(address, options)
  const stages = stagesOf(options)
  const toldAll = output.ndjson && streamIntervals(run, print, plannedStages(stages ?? []))
  let interrupted = false
  let connected = false
  const startAtMs = options.startAt === undefined ? 0 : parseInstant(options.startAt)
  run.ready.then(
    () => (connected = true),
    () => {},
  )
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
    // With agents the process must not end at once: they have to be told first.
    if (options.agents !== undefined) return
    if (!connected) leaveUnconnected()
    if (Date.now() < startAtMs) leaveWaiting()
  })
  const wanted = { ...benchDefaults, ...withRateOfStages(options) }
  const part = partOfSlice(options.slice)
  const about = {
    address: formatAddress(address),
    connections: sizeOf(part, wanted.connections),
    startAtMs,
    durationMs: durationOf(withRateOfStages(options)),
    warmupMs: wanted.warmupMs,
    count: shareOf(part, wanted.connections, wanted.count),
    stages,
  }
  const show = () => (drawsNothing(output) ? () => {} : showLoad(run, about))
  const stopShowing = options.agents === undefined ? show() : afterwards(run.ready, show)
  const finished = run.finished.catch((error: unknown) => {
    if (interrupted && !connected) leaveUnconnected()
    throw error
  })
  const result = await finished.finally(() => {
    stopShowing()
    restore()
  })
  if (toldAll) toldAll(result.stages?.length ?? 0)
  printResult(result, output)
  process.exitCode = loadExit(result, interrupted)
  await saveOutput(result, output)
}

async function search(
  address: Address,
  options: BenchAnywhere,
  wanted: { objective: string; precision?: number },
  { json, paths }: { json: boolean; paths: readonly string[] },
): Promise<void> {
  const outputs = paths.map(path => ({ path, format: findMaxFormatFor(path) }))
  checkOutputs(paths)
  const shown = process.stderr.isTTY
  const { findMax } = await import('../fleet/find-max.ts')
  const { findMaxText, probeLine, standingOf } = await import('../report/find-max.ts')
  const run = findMax(address, {
    ...options,
    ...wanted,
    onProbe: probe => shown && tell(probeLine(probe)),
  })
  let interrupted = false
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
    if (!run.connected && options.agents === undefined) leaveUnconnected()
  })
  const result = await run.finished.finally(restore)
  const document = () => `${JSON.stringify(result)}\n`
  print(json ? document() : findMaxText(result, canvas(process.stdout)))
  process.exitCode = interrupted ? exitCodes.interrupted : standingExit[standingOf(result)]
  await saveResult(outputs, [result], json ? undefined : document)
}
