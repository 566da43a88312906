/**
 * The control API in types: what the page, `yodel ctl` and other programs send and get, as
 * contract.ts has it. JSON over HTTP; operations.ts lists the requests, docs/control.md and
 * docs/openapi.json describe them. Instants are milliseconds since 1970.
 *
 * A request that changes something needs the header `X-Yodel: 1`, which no form can send. A server
 * with a token wants it for all but the probes: `Authorization: Bearer TOKEN`, or the cookie that
 * `/?token=TOKEN` sets.
 * An error is `{ "error": "one sentence", "hint": "what to try" }` with a status from 400 on.
 */
import type { RunComparison } from '../report/compare-runs.ts'
import type * as contract from './contract.ts'
import type * as accounts from './contract-accounts.ts'
import type { Of } from './shape.ts'

export type { RunComparison }

export type ApiError = Of<typeof contract.apiError>
export type ServerInfo = Of<typeof contract.serverInfo>
export type ListenerInfo = Of<typeof contract.listenerInfo>
export type AccountsKept = Of<typeof accounts.accountsKept>
export type AccountList = Of<typeof accounts.accountList>
export type FaultKindInfo = Of<typeof contract.faultKindInfo>
export type Figures = Of<typeof contract.figures>
export type Second = Of<typeof contract.second>
export type Lane = Of<typeof contract.lane>
export type LaneActivity = Of<typeof contract.activity>
export type ConnectionRow = Of<typeof contract.connectionRow>
export type ConnectionPage = Of<typeof contract.connectionPage>
export type ConnectionQuery = Of<typeof contract.connectionQuery>
export type SortKey = (typeof contract.sortKeys)[number]
export type Killed = Of<typeof contract.killed>
export type ListenerFaults = Of<typeof contract.listenerFaults>
export type FaultsWanted = Of<typeof contract.faultsWanted>
export type BenchWanted = Of<typeof contract.benchWanted>
export type BenchRun = Of<typeof contract.benchRun>
export type Place = Of<typeof contract.place>
export type ConsoleReply = Of<typeof contract.consoleReply>
export type ConsoleWaiting = Of<typeof contract.consoleWaiting>

/**
 * The names of server-sent events, and what their data is.
 *
 * `lanes`: lanes of clients that came, were admitted or left in that second. Each replaces the one
 * with the same id, except for its `activity`: that has only the bytes of this second, to be added
 * to the others. `activity`: bytes of the other lanes in that second, to be added to theirs.
 */
export type Events = { [Name in keyof typeof contract.events]: Of<(typeof contract.events)[Name]> }
