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
   * For which connections the other end keeps a trace. `all`: for all. `again`: only when the
   * question is asked again after a finding, since a session at the beginning of a connection would
   * change the question.
   */
  readonly traced?: 'all' | 'again'
  /** How much of the shared time is kept for this question, if it may need more than others. */
  readonly needsMs?: number
  /** The question makes sense only if the other end says what it saw. */
  readonly paired?: true
  /** The question only waits. It has its own time, and other questions may be asked meanwhile. */
  readonly waits?: true
  /** The question can be asked even if nothing is echoed. */
  readonly withoutEcho?: true
  /** Why the question makes no sense here, as a sentence. */
  refuses?(
    scene: Pick<Scene, 'address' | 'calling' | 'known' | 'limits' | 'control'>,
  ): string | undefined
  cost(limits: Limits): Cost
  ask(scene: Scene): Promise<Answer<Name> | NotAsked>
}

/** Keeps the names of the findings, so that no other can be found. */
export const question = <Name extends string>(asked: Question<Name>): Question<Name> => asked
