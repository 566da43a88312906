/**
 * The control API in types: what the page, `yodel ctl` and other programs send and get. JSON over
 * HTTP; docs/control.md and docs/openapi.json describe it. Instants are milliseconds since 1970.
 *
 *   GET    /api/server                    ServerInfo
 *   GET    /api/history                   Second[], the last 15 minutes, oldest first
 *   GET    /api/events                    server-sent events, see Events
 *   GET    /api/connections?QUERY         ConnectionPage, see ConnectionQuery
 *   DELETE /api/connections/ID            Killed
 *   DELETE /api/connections?filter=TEXT   Killed; all=true instead of a filter for all of them
 *   GET    /api/timeline                  Lane[], the last 15 minutes, oldest first
 *   GET    /api/faults                    ListenerFaults[]
 *   PUT    /api/faults                    FaultsWanted → ListenerFaults[]
 *   DELETE /api/faults                    back to what the server was started with
 *   POST   /api/drain                     stops accepting, and leaves when the clients have gone
 *   POST   /api/benches                   BenchWanted → BenchRun
 *   GET    /api/benches                   BenchRun[], newest first
 *   GET    /api/benches/ID                the whole RunResult; only of one that has finished
 *   GET    /api/benches/ID/report         the same as one HTML page
 *   GET    /api/benches/compare?a=ID&b=ID what `yodel compare a b` prints, as text
 *   DELETE /api/benches/ID                ends it early; it then has a result
 *   GET    /api/console?listener=N        WebSocket: each message goes to the listener, and what
 *                                         comes back for it is answered (ConsoleReply)
 *   GET    /metrics                       for Prometheus
 *   GET    /healthz  /readyz              for supervisors: no token, and any Host
 *
 * A request that changes something needs the header `X-Yodel: 1`, which no form can send. A server
 * with a token wants it for all but the last line: `Authorization: Bearer TOKEN`, or the cookie
 * that `/?token=TOKEN` sets.
 * An error is `{ "error": "one sentence", "hint": "what to try" }` with a status from 400 on.
 */
import type { FaultKind } from '../faults/index.ts'
import type { EngineName } from '../vocabulary/engine-names.ts'

export type { FaultKind }

export interface ApiError {
  error: string
  hint: string
}

export interface ServerInfo {
  version: string
  startedAt: number
  pid: number
  /** Stopping: no longer ready. */
  draining: boolean
  /** Whether bench may go to other addresses than the server's own. */
  benchAnywhere: boolean
  listeners: ListenerInfo[]
}

export interface ListenerInfo {
  /** Its place in the list: how the other calls name it. */
  index: number
  url: string
  engine: EngineName
  /** How many are served at the same time; null: no limit. */
  concurrency: number | null
  /** Sentences about what differs from what was asked for. */
  notes: string[]
  /** Why its faults cannot be changed; null if they can. */
  faultsFixedBecause: string | null
  /** Kinds of faults that make sense on its transport. */
  faultKinds: FaultKindInfo[]
}

export interface FaultKindInfo {
  kind: FaultKind
  /** What it does. */
  meaning: string
  /** What a form offers behind the `=`; empty if the kind is enough. */
  sample: string
}

/** What happened within one second, over all listeners. */
export interface Second {
  /** When it ended. */
  at: number
  /** At its end: connections served, clients waiting; null where that is not known. */
  open: number
  waiting: number | null
  opened: number
  closed: number
  /** Chunks that were echoed. */
  echoes: number
  bytesIn: number
  bytesOut: number
  /** Connections that failed, whatever the reason. */
  errors: number
  faultsInjected: number
}

/** The names of server-sent events, and what their data is. */
export interface Events {
  second: Second
  /**
   * Lanes of clients that came, were admitted or left in that second. Each replaces the one with
   * the same id, except for its `activity`: that has the bytes of this second alone, to be added to
   * the others.
   */
  lanes: Lane[]
  /** Bytes of the other lanes in that second: to be added to their `activity`. */
  activity: LaneActivity[]
  faults: ListenerFaults[]
  server: ServerInfo
  bench: BenchRun
}

/** The life of one client, for the timeline. At most 500 are kept, the newest. */
export interface Lane {
  id: string
  /** Index of the listener. */
  listener: number
  peer: string
  /** When it was first seen waiting; null if it was served at once. */
  waitingFrom: number | null
  /** When it began to be served; null while it waits. */
  servedFrom: number | null
  /** When it ended; null while it is there. */
  until: number | null
  /**
   * Bytes in and out within each second in which there were any: pairs of the second since
   * `servedFrom` and the bytes, in that order; at most the last 900 seconds.
   */
  activity: [second: number, bytes: number][]
}

/** What moved on a lane: see the pairs of `Lane.activity`. */
export type LaneActivity = [id: string, second: number, bytes: number]

export interface ConnectionRow {
  id: string
  /** Index of the listener. */
  listener: number
  peer: string
  /** Behind a proxy with the PROXY protocol: the real client; otherwise null. */
  realPeer: string | null
  transport: string
  engine: EngineName
  openedAt: number
  bytesIn: number
  bytesOut: number
  /** Waiting in the program to be sent. */
  unsentBytes: number
  /** How long no byte has moved. */
  idleMs: number
  /** It waits to be served: only id, listener, peer and openedAt have a meaning. */
  waiting: boolean
}

export interface ConnectionQuery {
  sort?: 'peer' | 'openedAt' | 'bytesIn' | 'bytesOut' | 'unsentBytes' | 'idleMs'
  order?: 'asc' | 'desc'
  /** A part of peer, real peer or transport. */
  filter?: string
  offset?: number
  /** At most 500. */
  limit?: number
}

export interface ConnectionPage {
  /** The number of all connections, and of those that the filter matches. */
  total: number
  matched: number
  /** From `offset` on. */
  rows: ConnectionRow[]
}

export interface Killed {
  killed: number
}

/** Faults are written as on the command line: `delay=50ms:10%`. */
export interface ListenerFaults {
  listener: number
  faults: string[]
  /** The command that starts a server with these faults. */
  command: string
}

export interface FaultsWanted {
  /** Index of the listener; all of them if it is not given. */
  listener?: number
  faults: string[]
}

export interface BenchWanted {
  /** One of the server's own, unless it was started with --dashboard-bench-anywhere. */
  address: string
  connections?: number
  sizeBytes?: number
  /** Open loop; without it a closed loop. */
  ratePerSecond?: number
  durationMs?: number
}

export interface BenchRun {
  id: string
  address: string
  startedAt: number
  state: 'running' | 'finished' | 'failed'
  /** Why it failed. */
  error: string | null
  /** While it runs, of the last second; at the end, of the window. */
  achievedPerSecond: number
  p50Us: number | null
  p99Us: number | null
  received: number
  /** At the end. */
  verdict: 'pass' | 'fail' | null
  valid: boolean | null
  options: BenchWanted
}

export interface ConsoleReply {
  /** The message that came back, as text; wrong bytes are shown as such. */
  text: string
  roundTripUs: number
  /** It differs from what was sent. */
  wrong: boolean
  /** What went wrong, in a sentence; then text and time mean nothing. */
  error: string | null
}
