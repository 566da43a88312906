/** What a result says, whatever was measured: its verdict, and the cases behind it. */
import { formatDuration, formatRate, plural } from '../vocabulary/units.ts'
import type { ObjectiveResult, RunResult } from './result.ts'
import { micros } from './ladder.ts'
import { missedText } from './objective.ts'
import { standing, type Standing } from './standing.ts'

/** Something that holds or does not hold. `told`: it is neither right nor wrong. */
export interface Case {
  /** The name, which is the same in each run, so that CI can compare runs. */
  name: string
  outcome: 'held' | 'missed' | 'invalid' | 'not asked' | 'told'
  /** What was measured, or why not; may be empty. */
  said: string
}

export interface Outline {
  /** The command and its address. */
  command: string
  address: string
  standing: Standing
  /** Why it is not a pass, a sentence each. */
  because: string[]
  cases: Case[]
  /** The figures that people look at first, each with its name. */
  figures: [name: string, value: string][]
  notes: string[]
  /** The command that repeats it; '' if there is none. */
  reproduce: string
  /** ISO 8601. */
  startedAt: string
  seconds: number
}

/** The outline of a run. */
export function outlineOfRun(result: RunResult): Outline {
  const { run, seconds, expectations, notes } = result
  const ofObjectives = expectations.map(missedText)
  // The stage in which the objective was missed first may follow.
  const others = (reasons: readonly string[]) =>
    reasons.filter(reason => !ofObjectives.some(start => reason.startsWith(start)))
  const [failed, invalid] = [others(result.failedBecause), others(result.invalidBecause)]
  const is = standing(result)
  return {
    command: `yodel ${run.command}`,
    address: run.address,
    standing: is,
    because:
      is === 'INVALID'
        ? result.invalidBecause
        : [...result.failedBecause, ...result.invalidBecause],
    cases: [
      {
        name: 'every byte comes back',
        outcome: failed.length > 0 ? 'missed' : 'held',
        said: failed.join(' '),
      },
      {
        name: 'the measurement is valid',
        outcome: invalid.length > 0 ? 'invalid' : 'held',
        said: invalid.join(' '),
      },
      ...expectations.map(caseOf),
    ],
    figures: figuresOf(result),
    notes,
    reproduce: run.reproduce,
    startedAt: run.startedAt,
    seconds,
  }
}

/** An objective as a case. */
export const caseOf = ({ objective, measuredText, held, ownFault }: ObjectiveResult): Case => ({
  name: objective,
  outcome: held ? 'held' : ownFault ? 'invalid' : 'missed',
  said: measuredText,
})

function figuresOf({
  messages,
  rates,
  responseUs,
  errors,
  seconds,
}: RunResult): [string, string][] {
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0)
  const { achievedPerSecond } = rates
  const times = (['p50', 'p99', 'max'] as const).flatMap(name => {
    const us = responseUs[name]
    return us === null ? [] : [[name, micros(us)] as [string, string]]
  })
  return [
    ['measured for', formatDuration(seconds * 1e3)],
    ['came back', plural(messages.received, 'message')],
    ['lost', plural(messages.lost + messages.unfinished, 'message')],
    ...(failed > 0 ? [['failed', plural(failed, 'connection')] as [string, string]] : []),
    ...(achievedPerSecond === null
      ? []
      : [['rate', formatRate(achievedPerSecond)] as [string, string]]),
    ...times,
  ]
}
