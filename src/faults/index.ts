/**
 * The table of faults: to add one, write its file and name it in the two places here. The compiler
 * then asks for its line on the page (page/fault-kinds.ts).
 */
import { corrupt, type CorruptSpec } from './corrupt.ts'
import { delay, type DelaySpec } from './delay.ts'
import { drop, type DropSpec } from './drop.ts'
import { duplicate, type DuplicateSpec } from './duplicate.ts'
import type { Fault, Kind, Tools } from './fault.ts'
import { hang, type HangSpec } from './hang.ts'
import { refuse, type RefuseSpec } from './refuse.ts'
import { reorder, type ReorderSpec } from './reorder.ts'
import { reset, type ResetSpec } from './reset.ts'
import { slice, type SliceSpec } from './slice.ts'
import { slowAccept, type SlowAcceptSpec } from './slow-accept.ts'
import { throttle, type ThrottleSpec } from './throttle.ts'
import { truncate, type TruncateSpec } from './truncate.ts'

/** One fault of a server. Plain data, because it is copied to other threads. */
export type FaultSpec =
  | DelaySpec
  | ThrottleSpec
  | SliceSpec
  | CorruptSpec
  | TruncateSpec
  | ResetSpec
  | HangSpec
  | RefuseSpec
  | SlowAcceptSpec
  | DropSpec
  | DuplicateSpec
  | ReorderSpec

export type FaultKind = FaultSpec['kind']

const table: { [K in FaultKind]: Kind<Extract<FaultSpec, { kind: K }>> } = {
  delay,
  throttle,
  slice,
  corrupt,
  truncate,
  reset,
  hang,
  refuse,
  'slow-accept': slowAccept,
  drop,
  duplicate,
  reorder,
}

export const faultKinds = Object.keys(table) as FaultKind[]

/** What is known of a kind; undefined if there is none of that name. */
export const kindOf = (name: string): Kind<FaultSpec> | undefined =>
  Object.hasOwn(table, name) ? table[name as FaultKind] : undefined

export const createFault = (spec: FaultSpec, tools: Tools): Fault =>
  kindOf(spec.kind)!.create(spec, tools)
