/** What a check has found: plain JSON, described by docs/check.schema.json. */
import type { WholeCost } from './limits.ts'
import type { AnswerFigures, Outcome, CauseSide } from './question.ts'

export const checkFormat = 'yodel-check-1'

export interface Finding {
  name: string
  outcome: 'differs' | 'fails'
  /** A sentence without its full stop. */
  said: string
  /** What was sent, what came, and when. */
  evidence: string[]
  side: CauseSide
  /** Where the cause is, as far as that can be known. */
  where: string
  /** What it does to real programs. */
  effect: string
  /** What to look at. */
  advice: string
}

export interface QuestionResult {
  name: string
  outcome: Outcome
  /** What was found out, or why it was not asked; a sentence without its full stop. */
  said: string
  findings: Finding[]
  /** The evidence of all findings. */
  evidence: string[]
  advice: string[]
  /** In milliseconds, bytes, a number, or a fraction of 1. */
  figures: AnswerFigures
  seconds: number
  /** The time limit of the question. */
  limitSeconds: number
}

/** What became of an expectation. */
export interface ExpectationResult {
  expectation: string
  /** What was found, as people write it. */
  found: string
  held: boolean
}

/** `invalid`: this machine could not find out, or no question could be asked. */
export type Verdict = 'ok' | 'differs' | 'fails' | 'invalid'

export interface CheckResult {
  format: typeof checkFormat
  address: string
  /** Whether only this end was looked at, or the other one, too. */
  mode: 'blind' | 'paired'
  verdict: Verdict
  /** Why the verdict is not `ok`. */
  because: string[]
  questions: QuestionResult[]
  expectations: ExpectationResult[]
  /** What the check might use at most, as it was announced. */
  cost: WholeCost
  used: { connections: number; bytes: number }
  startedAt: string
  seconds: number
  versions: Record<string, string>
}
