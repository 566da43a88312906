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
  /** The figures to compare, which were chosen before anything was measured. */
  figures: string[]
  /** A difference up to this fraction does not matter. */
  margin: number
  /** How many valid rounds were wanted. */
  roundsWanted: number
  /** The command that repeats the rounds. */
  reproduce: string
  /** The rounds in their order, with those in which a run was not valid. */
  rounds: Round[]
  /** Why there are fewer rounds than wanted; null if there are enough. */
  stoppedBecause: string | null
}

export const isValidRound = ({ baseline, subject }: Round): boolean =>
  baseline.valid && subject.valid

/** How many rounds may be measured again because a run in them was not valid. */
export const spareRounds = (wanted: number): number => Math.max(1, Math.floor(wanted / 4))

/**
 * The figures that are compared by default. In an open loop the rate is given, so it is not
 * compared.
 */
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
