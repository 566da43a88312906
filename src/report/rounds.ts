/**
 * Rounds of two sides in turn, as plain JSON: whole results, and in which order they were measured.
 * docs/rounds.schema.json describes it for machines.
 */
import type { RunResult } from './result.ts'
import { failsAnyway } from './standing.ts'

/** Changes only when a key changes its meaning or goes away. */
export const roundsFormat = 'yodel-rounds-1'

/** The baseline is what the other side is measured against. */
export const sides = ['baseline', 'subject'] as const
export type Side = (typeof sides)[number]

/** A run of each side, one right after the other. */
export interface Round extends Record<Side, RunResult> {
  /** Which was measured first: a coin decided. */
  first: Side
}

export interface SideConditions {
  address: string
  /** The command that was started before each run, and ended after it; null without one. */
  serve: string | null
}

export interface Rounds extends Record<Side, SideConditions> {
  format: typeof roundsFormat
  /** The seed of the coins that decide the order. */
  orderSeed: number
  /** What is compared, as it was said before anything was measured. */
  figures: string[]
  /** A difference up to this fraction does not matter. */
  margin: number
  /** How many valid ones were wanted. */
  roundsWanted: number
  /** What to type to do the same again. */
  reproduce: string
  /** In their order; those with a run that is not valid, too. */
  rounds: Round[]
  /** Why there are fewer than were wanted; null if there are not. */
  stoppedBecause: string | null
}

export const isValidRound = ({ baseline, subject }: Round): boolean =>
  baseline.valid && subject.valid

/** How many rounds may be measured again because a run in them was not valid. */
export const spareRounds = (wanted: number): number => Math.max(1, Math.floor(wanted / 4))

/** What a closed loop finds out, and an open loop, whose rate is given. */
export const usualFigures = (openLoop: boolean): string[] =>
  openLoop ? ['p50', 'p99'] : ['rate', 'p50', 'p99']

/** Whether a run failed by more than a missed objective: then its figures lack messages. */
export function isBroken(round: Round, side: Side): boolean {
  const { verdict, failedBecause, expectations } = round[side]
  if (failsAnyway(round[side])) return true
  if (!isValidRound(round)) return false
  return (
    verdict === 'fail' && failedBecause.length > expectations.filter(({ held }) => !held).length
  )
}
