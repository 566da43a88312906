/** How a transport serves its connections: the handshakes, then the echo. */
import type { Socket } from 'node:net'
import type { FaultSpec } from '../../../faults/index.ts'
import type { Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import type { Forwarded } from '../../../wire/proxy-header.ts'
import type { HoldBack } from '../../backpressure.ts'
import type { Unfinished } from './unfinished.ts'

/** What is known of a connection when it is served. */
export interface AcceptedSocket {
  /** The socket that was accepted: only it can be reset. */
  raw: Socket
  /** The client that a proxy forwards, by its PROXY header. */
  forwarded?: Forwarded | undefined
}

/**
 * One handshake: takes the stream of a connection and resolves with the stream for the next one;
 * rejects with why the connection is to be closed. The client may be gone meanwhile: then `raw` is
 * destroyed, and the handshake must settle.
 */
export type Handshake = (socket: Socket, accepted: AcceptedSocket) => Promise<Socket>

export interface EchoHandler {
  /** @param accepted what is known of the connection; undefined if there were no handshakes */
  start(socket: Socket, accepted?: AcceptedSocket): void
  /** Echoes what was received but not yet delivered to us, then FIN; later bytes are discarded. */
  finish(socket: Socket): void
}

export interface ServerProtocol {
  readonly echo: EchoHandler
  /** The handshake of the transport itself, after PROXY header and TLS. */
  readonly handshakes?: readonly Handshake[]
  /** Sets other faults; only if the task came with faults, or with an empty list. */
  setFaults?(faults: readonly FaultSpec[]): void
}

/** What a server gives to its protocol. */
export interface ForProtocol {
  /** Is told which connections are in their handshake. */
  readonly unfinished: Unfinished
  readonly holdBack: HoldBack
}

export type CreateProtocol = (
  task: ServeTask,
  meter: Meter,
  server: ForProtocol,
) => ServerProtocol | Promise<ServerProtocol>
