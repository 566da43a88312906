/** The library: functions that take an address first; their handles can be disposed of. */

// Functions
export { serve, type ServeOptions, type Server } from './serve.ts'
export { connect, type Connection, type ConnectOptions, type Echo } from './connect.ts'
export { bench } from './fleet/bench.ts'
export { findMax } from './fleet/find-max.ts'
export type { BenchAnywhere as BenchOptions } from './fleet/bench.ts'
export { flood, type FloodOptions, type LoadOptions } from './bench.ts'
export { agent, type Agent, type AgentOptions } from './fleet/agent.ts'
export { listAgents, type PresentAgent } from './fleet/list.ts'
export type { LoadRun } from './bench.ts'
export { check, type CheckOptions, type CheckRun } from './check.ts'
export type { CheckResult, QuestionResult } from './checks/result.ts'
export { measureDirection } from './bench/direction/run.ts'
export type { DirectionOptions, DirectionRun } from './bench/direction/run.ts'
export { measureLoaded, type LoadedRun } from './bench/direction/loaded.ts'
export type { LoadedOptions } from './load/direction/loaded.ts'
export type { LoadedResult } from './report/direction/loaded.ts'
export type { DirectionResult } from './report/direction/result.ts'
export type { FindMaxAnywhere as FindMaxOptions } from './fleet/find-max.ts'
export type { FindMaxResult, FindMaxRun, Probe } from './bench/find-max.ts'
export { benchAgainst } from './bench/rounds.ts'
export type { Round, Rounds, RoundsOptions, RoundsRun } from './bench/rounds.ts'
export { merge } from './report/merge.ts'
export type { RunResult } from './report/result.ts'

// Values
export type { FaultSpec } from './faults/index.ts'
export type { FaultRecord } from './threads/fault-feed.ts'
export { parseFaultScript, type FaultScript, type FaultStep } from './faults/script.ts'
export { parseFault } from './faults/parse.ts'
export { formatAddress, parseAddress, type Address } from './vocabulary/address.ts'
export { Histogram } from './metrics/histogram.ts'
export { since, type Counts, type Snapshot } from './metrics/snapshot.ts'
export type { WrongBytes } from './load/wrong-bytes.ts'

// Errors
export { UserError, type UserErrorKind } from './vocabulary/errors.ts'
