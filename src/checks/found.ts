/** What a question has found, and where the cause lies. */

/** Where the cause lies, as far as that can be known. */
export type CauseSide =
  /** On the way to the other end. */
  | 'up'
  /** On the way back. */
  | 'down'
  /** The program at the other end. */
  | 'other end'
  /** On the way, in whichever direction: both ends saw it come from there. */
  | 'on the way'
  /** This machine. */
  | 'this machine'
  | 'unknown'

/** What was found this time. */
export interface Found<Name extends string = string> {
  readonly name: Name
  /** A sentence without its full stop. */
  readonly said: string
  /** What was sent, what came, and when. */
  readonly evidence: readonly string[]
  /** What the other end saw of it. */
  readonly witness?: string | undefined
  readonly side?: CauseSide
  /** Why the cause is thought to be there; undefined: the usual sentence for that side. */
  readonly where?: string
}

/** One finding of each kind, with what was seen in all of that kind. */
export const joined = <Name extends string>(all: readonly Found<Name>[]): Found<Name>[] =>
  [...new Set(all.map(({ name }) => name))].map(name => {
    const alike = all.filter(found => found.name === name)
    return { ...alike[0]!, evidence: alike.flatMap(({ evidence }) => evidence) }
  })
