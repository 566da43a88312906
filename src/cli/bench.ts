/** yodel bench: measure rate and round trips, with a verdict. */
import { Option, type Command } from '@commander-js/extra-typings'
import { formatAddress, type Address } from '../address.ts'
import { bench, benchDefaults, durationOf, type BenchOptions } from '../bench.ts'
import { findMax } from '../bench/find-max.ts'
import { usageError } from '../errors.ts'
import { arrivalNames } from '../load/pacer.ts'
import { parseSizes } from '../load/sizes.ts'
import { findMaxText, probeLine } from '../report/find-max.ts'
import { endings, formatFor } from '../report/formats.ts'
import { loadText } from '../report/load.ts'
import { resultLine } from '../report/ndjson.ts'
import { parseObjective } from '../report/objective.ts'
import type { RunResult } from '../report/result.ts'
import { parseCount, parseDuration, parsePercent, parseRate } from '../units.ts'
import { exitCodes, nobodyThere } from './exit.ts'
import { callingOf, callingOptions } from './calling.ts'
import { addAll, addressArgument, engineFlag, repeatable, value } from './flags.ts'
import { showLoad, streamIntervals } from './live.ts'
import { canvas, onInterrupt, print, tell } from './output.ts'
import { checkOutputs, saveAll } from './saving.ts'

const count = value(parseCount)
const duration = value(parseDuration)
const rate = value(parseRate)
const objective = (text: string) => parseObjective(text).text
const file = (path: string) => ({ path, format: formatFor(path) })

/** What becomes of the result. */
interface Output {
  json: boolean
  ndjson: boolean
  files: ReturnType<typeof file>[]
}

export function addBench(program: Command): void {
  const { sizeBytes, durationMs, warmupMs, drainMs, timeoutMs } = benchDefaults
  const seconds = (ms: number) => `default: ${ms / 1e3}s`
  const command = program
    .command('bench')
    .description('measure rate and round trips of an echo server, every byte verified')
    .addArgument(addressArgument('whom to measure'))
    .option('--connections <n>', 'connections kept open and used (default: 1)', count)
    .option('--duration <duration>', `measure for so long (${seconds(durationMs)})`, duration)
    .option('--warmup <duration>', `leave so much out at first (${seconds(warmupMs)})`, duration)
    .addOption(
      new Option('--size <size>', 'bytes in a message: 64, 16-64k or 64:90%,1k-4k:10%')
        .argParser(value(parseSizes))
        .default(parseSizes(`${sizeBytes}`), `${sizeBytes}`),
    )
    .option('--depth <n>', 'messages in flight on each, at most (default: 1)', count)
    .option('--rate <rate>', 'open loop: messages per second over all connections', rate)
    .addOption(
      new Option('--arrivals <how>', 'how the messages of an open loop are spread')
        .choices(arrivalNames)
        .default(benchDefaults.arrivals),
    )
    .option('--count <n>', 'stop after so many messages, the warm-up left out', count)
    .option('--churn <rate>', 'short connections per second beside the steady ones', rate)
    .option('--idle <n>', 'connections that are merely held', count)
    .addOption(engineFlag())
    .option('--threads <n>', 'threads that send (default: 1)', count)
    .option('--seed <n>', 'decides payload, sizes and random arrivals (default: 1)', count)
    .option('--timeout <duration>', `give up unanswered (${seconds(timeoutMs)})`, duration)
    .option('--drain <duration>', `wait at the end (${seconds(drainMs)})`, duration)
    .option('--count-corruption', 'count corrupt bytes while the stream stays in step, and go on')
    .option(
      '--expect <objective>',
      "fail unless it holds: 'p99<5ms', 'loss=0', 'rate>=50k/s'; repeatable",
      repeatable(objective),
    )
    .option(
      '--find-max <objective>',
      "find the highest rate at which it holds: 'p99<5ms'",
      value(objective),
    )
    .option('--precision <percent>', 'of --find-max (default: 5%)', value(parsePercent))
    .option('--json', 'report as one JSON document')
    .option('--ndjson', 'a line of JSON for each second, and for the result')
    .option('--output <file>', `save the result; one of ${endings}; repeatable`, repeatable(file))
  addAll(command, 'Transports:', callingOptions())
  command.action(async (address, all) => {
    const { calling, rest: flags } = callingOf(all)
    const { json = false, ndjson = false, output = [], findMax, precision, ...rest } = flags
    if (json && ndjson) throw usageError('--json and --ndjson exclude each other.')
    if (precision !== undefined && findMax === undefined)
      throw usageError('--precision is for --find-max.')
    const load = { ...optionsOf(rest), calling }
    if (findMax === undefined) return measure(address, load, { json, ndjson, files: output })
    if (ndjson || output.length > 0)
      throw usageError('--find-max prints text or --json, and has no --output.')
    return search(address, load, findMax, precision, json)
  })
}

type Flags = Omit<BenchOptions, 'sizeBytes'> & { size: BenchOptions['sizeBytes'] } & Partial<
    Record<'rate' | 'churn' | 'duration' | 'warmup' | 'timeout' | 'drain', number>
  >

/** The names of the library, which have their units in them. */
function optionsOf({ rate, churn, size, duration, warmup, timeout, drain, ...same }: Flags) {
  for (const [name, perSecond] of Object.entries({ rate, churn }))
    if (perSecond === 0) throw usageError(`The ${name} must be more than 0.`)
  const renamed = {
    sizeBytes: size,
    ratePerSecond: rate,
    churnPerSecond: churn,
    durationMs: duration,
    warmupMs: warmup,
    timeoutMs: timeout,
    drainMs: drain,
  }
  const given = Object.entries({ ...same, ...renamed }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as BenchOptions
}

async function measure(address: Address, options: BenchOptions, output: Output): Promise<void> {
  checkOutputs(output.files.map(({ path }) => path))
  const run = bench(address, options)
  if (output.ndjson) streamIntervals(run, print)
  let interrupted = false
  let connected = false
  run.ready.then(
    () => (connected = true),
    () => {},
  )
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
    return connected ? 'stay' : 'leave'
  })
  const { connections, warmupMs, count } = { ...benchDefaults, ...options }
  const durationMs = durationOf(options)
  const about = { address: formatAddress(address), connections, durationMs, warmupMs, count }
  // Lines of JSON on the same terminal would be drawn over.
  const silent = output.ndjson && process.stdout.isTTY
  const stopShowing = silent ? () => {} : showLoad(run, about)
  const result = await run.finished.finally(() => {
    stopShowing()
    restore()
  })
  if (output.ndjson) print(resultLine(result))
  else if (output.json) print(`${JSON.stringify(result)}\n`)
  else print(loadText(result, canvas(process.stdout)))
  process.exitCode = exitCodeOf(result, interrupted)
  const json = () => `${JSON.stringify(result)}\n`
  const outputs = output.files.map(({ path, format }) => ({ path, text: () => format(result) }))
  saveAll(outputs, output.json || output.ndjson ? undefined : json)
}

/** A connection that failed did so however it was measured; all else needs a sound measurement. */
function exitCodeOf(result: RunResult, interrupted: boolean): number {
  if (nobodyThere(result)) return exitCodes.network
  if (Object.values(result.errors).some(count => count > 0)) return exitCodes.failed
  if (interrupted && result.messages.lost === 0) return exitCodes.interrupted
  if (!result.valid) return exitCodes.invalid
  return result.verdict === 'fail' ? exitCodes.failed : exitCodes.done
}

async function search(
  address: Address,
  options: BenchOptions,
  objective: string,
  precision: number | undefined,
  json: boolean,
): Promise<void> {
  const shown = process.stderr.isTTY
  const run = findMax(address, {
    ...options,
    objective,
    ...(precision !== undefined && { precision }),
    onProbe: probe => shown && tell(probeLine(probe)),
  })
  let interrupted = false
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
  })
  const result = await run.finished.finally(restore)
  print(json ? `${JSON.stringify(result)}\n` : findMaxText(result, canvas(process.stdout)))
  if (interrupted) process.exitCode = exitCodes.interrupted
  else if (result.ratePerSecond === 0) process.exitCode = exitCodes.failed
  else if (result.limitedByGenerator) process.exitCode = exitCodes.invalid
}
