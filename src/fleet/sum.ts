/** The result of a load that agents sent: their merged parts, and what became of each agent. */
import { sharedOffsetNs, wallOffsetMs } from '../vocabulary/clock.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { AgentFigures } from '../report/part-form.ts'
import { Merger } from '../report/merge.ts'
import type { RunResult } from '../report/result.ts'
import type { Member } from './member.ts'
import { partOfLost, unknownOf, type EndedRun } from './lost.ts'

/** If a wall clock is wrong by more than this, a note says so. No figure depends on it. */
const wallOffMs = 100
/** The most by which a clock may be wrong; it is also the limit for slices. */
const clockErrorMaxMs = 100

/** Adds the parts of agents as they come. */
export class PartSum {
  readonly #merger = new Merger()
  readonly #lateness = new Map<number, number | null>()
  /** The same offset for all parts, so that their times can be compared. */
  #wallMs: number | undefined

  /** Add this to an instant on the coordinator's clock to get milliseconds since 1970. */
  get #wallOffsetMs(): number {
    return (this.#wallMs ??= wallOffsetMs() - sharedOffsetNs() / 1e6)
  }

  /**
   * Adds a part. The wall clock of the agent does not matter: all instants are on the clock of the
   * coordinator.
   * @param startMs when the load was to begin; `startedMs`: when this agent began
   * @throws UserError if it is not part of this load
   */
  add(member: Member, result: RunResult, { startedMs }: { startedMs: number }, startMs: number) {
    if (!result.part) throw new UserError('network', `Agent ${member.name} has sent no part.`)
    const wallMs = startedMs + this.#wallOffsetMs
    const startErrorMs = Math.max(0, startedMs - startMs)
    const startedAt = new Date(wallMs).toISOString()
    const part = { ...result.part, startedMs: wallMs, startErrorMs }
    this.#add(member, { ...result, run: { ...result.run, startedAt }, part })
  }

  #add(member: Member, result: RunResult): void {
    this.#merger.add(result, member.name)
    this.#lateness.set(member.number, result.latenessUs.p99)
  }

  finish(ended: EndedRun): RunResult {
    const members = ended.members.toSorted((a, b) => a.number - b.number)
    for (const member of members) {
      const lost = member.delivered ? undefined : partOfLost(member, ended)
      if (lost) this.#add(member, lost)
    }
    if (this.#merger.size === 0) {
      const fates = members.map(each => fateOf(each, ended))
      const said = `No agent has told what it did. ${fates.join(' ')}`
      throw new UserError('network', said.trim())
    }
    const named = new Map(members.map(member => [member.number, member]))
    const broken = members.filter(({ delivered }) => !delivered || delivered.left !== null)
    const result = this.#merger.finish({
      noun: 'Agent',
      row: slice => ({ agent: this.#figuresOf(named.get(slice)!, ended) }),
      broken: new Set(broken.map(({ number }) => number)),
      because: [...brokerGone(ended), ...members.flatMap(member => fateOf(member, ended) || [])],
      notes: members.flatMap(member => noteOf(member, this.#wallOffsetMs)),
      intervals: ended.intervals,
      advice: 'Is the way from the broker to one of them slow?',
    })
    const { run } = result
    const agents = members.length
    run.options = { ...run.options, agents }
    run.reproduce = `${run.reproduce} --agents ${agents}`
    return result
  }

  #figuresOf(member: Member, ended: EndedRun): AgentFigures {
    return {
      name: member.name,
      latenessP99Us: this.#lateness.get(member.number) ?? null,
      clockErrorMs: member.clock!.errorMs,
      ...(!member.delivered && {
        lostSecond: Math.max(0, lastMsOf(member) - ended.load.warmupMs) / 1e3,
        unknown: unknownOf(member, ended),
      }),
    }
  }
}

const lastMsOf = ({ loss }: Member): number => loss?.lastMs ?? 0

const brokerGone = ({ brokerDownMs, run }: EndedRun): string[] =>
  brokerDownMs === undefined
    ? []
    : [
        `The connection to the broker broke after ${formatDuration(brokerDownMs)}, and did not ` +
          'come back. Agents end by the plan, and write their parts to files: ' +
          `\`yodel merge yodel-part-${run}-*.json\` adds them.`,
      ]

/** Why an agent makes the result invalid, as a sentence; empty if it does not. */
function fateOf(member: Member, { options, brokerDownMs, startMs }: EndedRun): string {
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
  if (!loss) return `${who} did not report its end.`
  return (
    `${who} ${loss.what} at ${formatDuration(loss.afterMs)}: ` +
    `what it did after ${formatDuration(loss.lastMs)} is unknown.`
  )
}

function noteOf(member: Member, wallMs: number): string[] {
  const { clock, name, returned } = member
  const offMs = clock!.wallMs - wallMs
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
