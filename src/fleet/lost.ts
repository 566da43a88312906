/** The part of an agent that has gone: what it counted until its last message. */
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { sharedOffsetNs, wallOffsetMs } from '../vocabulary/clock.ts'
import { machine, versions } from '../vocabulary/machine.ts'
import { optionsOf } from '../bench/run.ts'
import { reproduce } from '../bench/reproduce.ts'
import { counted, shareOf } from '../load/counted.ts'
import { benchOptions, type BenchOptions } from '../load/options.ts'
import type { ThreadResult } from '../load/thread-result.ts'
import { firstFrom } from '../load/pacer.ts'
import { ownBefore, parseSlice, partOfSlice, sizeOf } from '../load/part.ts'
import type { Load } from '../load/thread-load.ts'
import { pacedStages } from '../load/stages.ts'
import type { Interval, RunConditions, RunResult } from '../report/result.ts'
import { callingOf } from '../report/same-load.ts'
import { partFrom, resultOfPart } from '../report/part-section.ts'
import type { Member } from './member.ts'
import { tickAt } from './messages.ts'

/** What is known of a run at its end. */
export interface EndedRun {
  run: string
  address: Address
  options: BenchOptions
  load: Load
  /** On the clock of the coordinator. */
  startMs: number
  members: readonly Member[]
  /** The sum of what all agents sent each second, for a run in which one was lost. */
  intervals: Interval[] | undefined
  /** When the broker went away for good, in milliseconds after the start. */
  brokerDownMs: number | undefined
}

/** Makes a part of what a lost agent has counted; undefined if it never sent counts. */
export function partOfLost(member: Member, ended: EndedRun): RunResult | undefined {
  if (member.received.length === 0) return undefined
  const { load, startMs, address, options } = ended
  const slice = sliceOf(member, ended)
  const { agents: _, ...plain } = options
  const counts = member.counted.snapshot(startMs + lastMs(member, load))
  // It is not known what became of its messages in flight.
  const messagesUnfinished = counts.messagesPlanned - counts.messagesReceived
  const gathered = {
    total: { ...counts, messagesUnfinished },
    threadResults: [threadResultOf(member, load)],
    intervals: [],
    stages: load.stages === undefined ? undefined : [],
  }
  const startedMs = startMs - sharedOffsetNs() / 1e6 + wallOffsetMs()
  const about = {
    connections: sizeOf(partOfSlice(slice), load.connections),
    startedMs,
    startErrorMs: null,
    calling: callingOf(load.calling),
    expect: load.expect,
  }
  const conditions: RunConditions = {
    command: 'bench',
    address: formatAddress(address),
    engine: '',
    threads: load.threads,
    ...optionsOf({ ...load, slice }),
    reproduce: reproduce('bench', address, benchOptions, { ...plain, slice }),
    startedAt: new Date(startedMs).toISOString(),
    versions: versions(),
    machine: machine(),
  }
  const part = partFrom(parseSlice(slice), about, gathered, [], 0)
  return resultOfPart(part, gathered, conditions, [])
}

const sliceOf = ({ number }: Member, { options }: EndedRun) => `${number}/${options.agents}`

const lastMs = (member: Member, { warmupMs, durationMs }: Load): number =>
  tickAt(member.received.at(-1)!.tick, warmupMs, durationMs)

/** Slots are seconds; a longer run has wider ones. */
const slots = 8_192

function threadResultOf(member: Member, load: Load): ThreadResult {
  const { warmupMs, durationMs, ratePerSecond } = load
  const passedMs = lastMs(member, load) - warmupMs
  const slotMs = 1_000 * Math.max(1, Math.ceil(passedMs / 1_000 / slots))
  const came = new Float64Array(slots)
  let before = 0
  for (const { tick, count } of member.received) {
    const afterMs = tickAt(tick, warmupMs, durationMs) - warmupMs
    if (afterMs > 0) came[Math.min(slots - 1, Math.ceil(afterMs / slotMs) - 1)]! += count - before
    before = count
  }
  return {
    wrong: undefined,
    log: {
      fromNs: warmupMs * 1e6,
      lengthNs: Math.max(0, Math.min(passedMs, durationMs)) * 1e6,
      byClock: ratePerSecond === undefined,
      most: Infinity,
      firstNs: 0,
      lastNs: Math.max(0, passedMs) * 1e6,
      slotNs: slotMs * 1e6,
      counts: came,
      sent: member.received.at(-1)!.sent,
    },
    effort: {
      busyShare: null,
      onCpuShare: null,
      queuedShare: null,
      stalls: { count: 0, totalNs: 0, longest: [] },
      collections: { count: 0, totalNs: 0 },
    },
  }
}

/** How many messages of its plan are due after its last counts; null if the plan does not say. */
export function unknownOf(member: Member, ended: EndedRun): number | null {
  const all = plannedOf(sliceOf(member, ended), ended.load)
  if (all === null || member.received.length === 0) return all
  const { messagesPlanned } = member.counted.snapshot(0)
  return Math.max(0, all - messagesPlanned)
}

/** How many messages a slice has in the window; of random arrivals, on average. */
function plannedOf(slice: string, load: Load): number | null {
  const { ratePerSecond, connections, seed, warmupMs, durationMs, count, arrivals } = load
  const part = partOfSlice(slice)
  if (connections === 0) return 0
  if (ratePerSecond === undefined)
    return count === Infinity ? null : shareOf(part, connections, count)
  const pace = { ratePerSecond, stages: pacedStages(load), connections, seed }
  if (count !== Infinity) return counted(arrivals, pace, warmupMs, count).of(part)
  const before = (ms: number) => ownBefore(part, connections, firstFrom(pace, ms * 1e6))
  return before(warmupMs + durationMs) - before(warmupMs)
}
