/** A connection of a client, and how it is made. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Address } from '../../../vocabulary/address.ts'
import type { Calling } from '../../../options/calling.ts'

/** What to connect to, and what to send before the first message. */
export interface Target {
  address: Address
  calling: Calling
  /**
   * The number of the connection in the whole load: connections use addresses in turn by this
   * number. Undefined: the first.
   */
  number?: number
  /** Called for each connected socket, before a protocol above tcp or TLS uses it. */
  onSocket?: ((socket: Socket, secured?: TLSSocket) => void) | undefined
}

/** A connection over any transport. */
export interface Link {
  /**
   * On a transport with messages (vocabulary/transport) each write is a message, and so is each
   * chunk that is read. A string is a message of text, if the transport distinguishes text and
   * binary.
   */
  readonly stream: Duplex
  /**
   * The socket below, if the stream is not a socket itself: the system has figures of the socket
   * only.
   */
  readonly below?: Duplex | undefined
  /** What both sides agreed on, a line each, for people: protocol, cipher, certificate. */
  readonly details: readonly string[]
  /** The round trip of a ping, in milliseconds, where the transport has pings. */
  readonly ping?: (() => Promise<number>) | undefined
}

/**
 * Makes a link on which small messages are sent at once, and each direction ends separately.
 * Rejects with the system's error.
 */
export type Dial = (target: Target, timeoutMs: number, signal?: AbortSignal) => Promise<Link>
