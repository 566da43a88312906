/** What a thread is asked to do: plain data, because it is copied to other threads. */
import type { Address } from './address.ts'
import type { FaultSpec } from './faults/index.ts'
import type { LoadPlan } from './load/plan.ts'
import type { Calling, DatagramRules, ProxyRules, TlsServing, WebRules } from './transport.ts'

export const engineNames = ['node', 'uring', 'blocking'] as const
export type EngineName = (typeof engineNames)[number]

export type Task = ServeTask | LoadTask

/** Echo whatever arrives. */
export interface ServeTask {
  kind: 'serve'
  engine: EngineName
  address: Address
  /** How many clients are served at the same time; Infinity: as many as there are descriptors. */
  concurrency: number
  /** Close a connection on which nothing has moved for so long; 0 for never. */
  idleTimeoutMs: number
  /** How long a stopping server waits for its clients to hang up. */
  drainMs: number
  /** Leave after the first client. */
  oneOff: boolean
  /** How long to look for work before going to sleep, in microseconds; 0 for not at all. */
  busyPollUs: number
  /** Several threads listen on one port (SO_REUSEPORT); the kernel spreads the clients. */
  sharePort: boolean
  /** How it misbehaves, in this order; undefined: not at all, nor later. */
  faults: readonly FaultSpec[] | undefined
  /** Whether each is written down (threads/fault-feed.ts). */
  recordFaults: boolean
  /** Of the faults: what is random in them is the same for the same seed. */
  seed: number
  /** How long a client may take for PROXY header, TLS and the like. */
  handshakeTimeoutMs: number
  /** Of tls, wss and https. */
  tls: TlsServing | undefined
  /** Whose PROXY headers are read; undefined: nobody's. */
  proxy: ProxyRules | undefined
  web: WebRules
  datagrams: DatagramRules
  /** How many sockets of this process serve each port of udp, in memory that all threads share. */
  udpPorts: Uint16Array
  /** A listening (or bound, for udp) socket that whoever started us has opened. */
  inheritedFd: number | undefined
  /** Where to write who is connected (see metrics/ledger); undefined: nobody wants to know. */
  ledger: SharedArrayBuffer | undefined
}

/** Send messages, and verify that each comes back. */
export interface LoadTask extends LoadPlan {
  kind: 'load'
  engine: EngineName
  address: Address
  calling: Calling
}

/** The n-th of `parts` near-equal shares of a whole; the shares add up to the whole. */
export function share(whole: number, parts: number, n: number): number {
  if (!Number.isFinite(whole)) return whole
  return Math.floor(whole / parts) + (n < whole % parts ? 1 : 0)
}
