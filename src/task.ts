/** What a thread is asked to do: plain data, because it is copied to other threads. */
import type { Address } from './vocabulary/address.ts'
import type { EngineName } from './vocabulary/engine-names.ts'
import type { ThreadFlows } from './load/direction/thread-flows.ts'
import type { ThreadLoad } from './load/thread-load.ts'
import type { ResolvedOf } from './options/form.ts'
import type { ServerTls } from './wire/tls/credentials.ts'
import type { DatagramRules, ProxyRules, serveOptions, WebRules } from './options/serve.ts'

export type Task = ServeTask | LoadTask | FlowTask

type Options = ResolvedOf<typeof serveOptions>
/** Options of a server as a whole, from which a thread gets something else. */
type WholeServer = 'threads' | 'faultsLater' | 'tls' | 'proxy' | 'web' | 'datagrams' | 'ledger'

/**
 * The task to echo whatever arrives. `concurrency` is this thread's share; the rest is as in the
 * options.
 */
export interface ServeTask extends Omit<Options, WholeServer> {
  kind: 'serve'
  engine: EngineName
  address: Address
  /** Several threads listen on one port (SO_REUSEPORT); the kernel spreads the clients. */
  sharePort: boolean
  /** Whether each fault is recorded (threads/fault-feed.ts). */
  recordFaults: boolean
  /** The credentials for tls, wss and https. */
  tls: ServerTls | undefined
  /** The rules for PROXY headers; undefined: none are read. */
  proxy: ProxyRules | undefined
  web: WebRules
  datagrams: DatagramRules
  /** How many sockets of this process serve each port of udp, in memory that all threads share. */
  udpPorts: Uint16Array
  /** The rates of its sessions over datagrams in sum: one number, in memory that threads share. */
  sessionRates: BigInt64Array
  /** Where to write the connections (see metrics/ledger); undefined: nowhere. */
  ledger: SharedArrayBuffer | undefined
}

/** The task to send messages, and to verify that each comes back. */
export interface LoadTask extends ThreadLoad {
  kind: 'load'
  engine: EngineName
  address: Address
}

/** The task to send in one direction or in both, and to verify what arrives. */
export interface FlowTask extends ThreadFlows {
  kind: 'flow'
  engine: EngineName
  address: Address
}

/** The n-th of `parts` near-equal shares of a whole; the shares add up to the whole. */
export function share(whole: number, parts: number, n: number): number {
  if (!Number.isFinite(whole)) return whole
  return Math.floor(whole / parts) + (n < whole % parts ? 1 : 0)
}
