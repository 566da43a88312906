/** The result of a load that agents sent: their merged parts, and what became of each agent. */
import { sharedOffsetNs, wallOffsetMs } from '../vocabulary/clock.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { AgentFigures } from '../report/part-form.ts'
import { mergeKnown } from '../report/merge.ts'
import type { RunResult } from '../report/result.ts'
import type { Member } from './member.ts'
import { partOfLost, unknownOf, type Ended } from './lost.ts'

/** If a wall clock is off by more, a note says so; it changes no figure. */
const wallOffMs = 100
/** The same limit as for slices. */
const clockErrorMaxMs = 100

export function sumUp(ended: Ended): RunResult {
  const members = ended.members.toSorted((a, b) => a.number - b.number)
  const results = members.flatMap(member => resultOf(member, ended) ?? [])
  if (results.length === 0)
    throw new UserError(
      'network',
      `No agent has told what it did. ${members.map(each => fateOf(each, ended)).join(' ')}`.trim(),
    )
  const named = new Map(members.map(member => [member.number, member]))
  const broken = members.filter(({ delivered }) => !delivered || delivered.left !== null)
  const result = mergeKnown(results, n => named.get(results[n]!.part!.slice)!.name, {
    noun: 'Agent',
    row: slice => ({ agent: figuresOf(named.get(slice)!, results, ended) }),
    broken: new Set(broken.map(({ number }) => number)),
    because: [...brokerGone(ended), ...members.flatMap(member => fateOf(member, ended) || [])],
    notes: members.flatMap(noteOf),
    intervals: ended.intervals,
    advice: 'Is the way from the broker to one of them slow?',
  })
  const { run } = result
  const agents = members.length
  run.options = { ...run.options, agents }
  run.reproduce = `${run.reproduce} --agents ${agents}`
  return result
}

/** What its wall clock shows is not asked: all instants are on one clock. */
function resultOf(member: Member, ended: Ended): RunResult | undefined {
  if (!member.delivered) return partOfLost(member, ended)
  const { result, startedMs } = member.delivered
  if (!result.part) return undefined
  const wallMs = startedMs - sharedOffsetNs() / 1e6 + wallOffsetMs()
  const startErrorMs = Math.max(0, startedMs - ended.startMs)
  return {
    ...result,
    run: { ...result.run, startedAt: new Date(wallMs).toISOString() },
    part: { ...result.part, startedMs: wallMs, startErrorMs },
  }
}

function figuresOf(member: Member, results: readonly RunResult[], ended: Ended): AgentFigures {
  const own = results.find(({ part }) => part!.slice === member.number)!
  return {
    name: member.name,
    latenessP99Us: own.latenessUs.p99,
    clockErrorMs: member.clock!.errorMs,
    ...(!member.delivered && {
      lostSecond: Math.max(0, lastMsOf(member) - ended.load.warmupMs) / 1e3,
      unknown: unknownOf(member, ended),
    }),
  }
}

const lastMsOf = ({ loss }: Member): number => loss?.lastMs ?? 0

const brokerGone = ({ brokerDownMs, run }: Ended): string[] =>
  brokerDownMs === undefined
    ? []
    : [
        `The connection to the broker broke after ${formatDuration(brokerDownMs)}, and did not ` +
          'come back. Agents end by the plan, and write their parts to files: ' +
          `\`yodel merge yodel-part-${run}-*.json\` adds them.`,
      ]

/** Why it makes the result invalid; nothing if it does not. */
function fateOf(member: Member, { options, brokerDownMs, startMs }: Ended): string {
  const { number, name, loss, delivered, clock } = member
  const who = `Agent ${number} of ${options.agents} (${name})`
  if (delivered) {
    if (delivered.left !== null) return `${who} ended early: ${delivered.left}.`
    const lateMs = delivered.startedMs - startMs
    if (lateMs > clockErrorMaxMs) return `${who} began ${formatDuration(lateMs)} late.`
    if (clock!.errorMs <= clockErrorMaxMs) return ''
    const bound = formatDuration(clock!.errorMs)
    return `The clock of ${who.replace('A', 'a')} is known to ${bound} only.`
  }
  if (brokerDownMs !== undefined) return ''
  if (!loss) return `${who} did not tell its end.`
  return (
    `${who} ${loss.what} at ${formatDuration(loss.afterMs)}: ` +
    `what it did after ${formatDuration(loss.lastMs)} is unknown.`
  )
}

function noteOf(member: Member): string[] {
  const { clock, name, returned } = member
  const offMs = clock!.wallMs - (wallOffsetMs() - sharedOffsetNs() / 1e6)
  const way = offMs > 0 ? 'ahead' : 'behind'
  return [
    ...(Math.abs(offMs) > wallOffMs
      ? [`The wall clock of ${name} is ${formatDuration(Math.abs(offMs))} ${way}; it is not used.`]
      : []),
    ...(returned
      ? [`${name} ${returned.what} at ${formatDuration(returned.afterMs)}, and came back.`]
      : []),
  ]
}
