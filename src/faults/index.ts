/** The table of faults, made of the kinds. */
import type { Fault, FaultDefinition, Tools } from './fault.ts'
import * as kinds from './kinds.ts'

type Kinds = (typeof kinds)[keyof typeof kinds]
type SpecOf<K> = K extends FaultDefinition<infer Spec> ? Spec : never

/** One fault of a server. Plain data, because it is copied to other threads. */
export type FaultSpec = SpecOf<Kinds>
export type FaultKind = FaultSpec['kind']

const table = new Map(
  Object.values(kinds).map(kind => [
    kind.kind as string,
    kind as unknown as FaultDefinition<FaultSpec>,
  ]),
)

/** In alphabetical order. */
export const faultKinds = [...table.keys()].toSorted() as FaultKind[]

/** The definition of a kind; undefined if no kind has that name. */
export const faultKindOf = (name: string): FaultDefinition<FaultSpec> | undefined => table.get(name)

export const createFault = (spec: FaultSpec, tools: Tools): Fault =>
  faultKindOf(spec.kind)!.create(spec, tools)
