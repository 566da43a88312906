/** What a question is: what it asks, what it may find, what it may cost. */
import type { TransportName } from '../vocabulary/transport.ts'
import type { Found } from './found.ts'
import type { Cost, Limits } from './limits.ts'
import type { Scene } from './scene.ts'

export { joined, type Found, type CauseSide } from './found.ts'

export type Outcome = 'ok' | 'differs' | 'fails' | 'not asked'

/** Something that a question may find, and what is true of it wherever it is found. */
export interface FindingKind {
  /** `fails`: bytes are lost, changed or stuck; `differs`: programs should not break. */
  readonly outcome: 'differs' | 'fails'
  /** What it does to real programs. */
  readonly effect: string
  /** What to look at. */
  readonly advice: string
}

/** In which unit a figure is. */
export type AnswerFigureKind = 'duration' | 'size' | 'count' | 'fraction' | 'rate'
/** In milliseconds, bytes, a number, or a fraction of 1; null if it is not known. */
export type AnswerFigures = Readonly<Record<string, number | null>>

export interface Answer<Name extends string = string> {
  /** What was found out, a sentence without its full stop. */
  readonly said: string
  readonly found: readonly Found<Name>[]
  readonly figures?: AnswerFigures
  /** What is said behind the finding if the time limit ended the question. */
  readonly cut?: string
}

/** Why a question has no answer, as a sentence. */
export interface NotAsked {
  readonly notAsked: string
  /** This machine was the reason: what was measured is not valid. */
  readonly own?: true
}

export interface Question<Name extends string = string> {
  /** Ends a sentence that begins with `It asks`. */
  readonly asks: string
  readonly transports: readonly TransportName[]
  readonly findings: Readonly<Record<Name, FindingKind>>
  /** What can be expected of it (`--expect`), by name. */
  readonly figures: Readonly<Record<string, AnswerFigureKind>>
  /**
   * Of which connections the other end keeps a trace: of all; or, if a session at the beginning
   * would change the question, only of those on which it is asked again after a finding.
   */
  readonly traced?: 'all' | 'again'
  /** The part of the time of all questions that is kept for this one, if it may need that long. */
  readonly needsMs?: number
  /** It makes sense only where the other end says what it saw. */
  readonly paired?: true
  /** It only waits: it has a time of its own, and other questions may be asked meanwhile. */
  readonly waits?: true
  /** It can be asked although nothing is echoed. */
  readonly withoutEcho?: true
  /** Why it makes no sense here, as a sentence. */
  refuses?(
    scene: Pick<Scene, 'address' | 'calling' | 'known' | 'limits' | 'control'>,
  ): string | undefined
  cost(limits: Limits): Cost
  ask(scene: Scene): Promise<Answer<Name> | NotAsked>
}

/** Keeps the names of the findings, so that no other can be found. */
export const question = <Name extends string>(asked: Question<Name>): Question<Name> => asked
