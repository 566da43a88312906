/** A connection of a client, and how it is made. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from '../../../vocabulary/address.ts'
import type { Calling } from '../../../options/calling.ts'

/** What to connect to, and what to send before the first message. */
export interface Target {
  address: Address
  calling: Calling
  /** Its number in the whole load, by which connections take turns; the first if undefined. */
  number?: number
  /** Called for each socket that is connected, before it is used for anything above tcp. */
  onSocket?: ((socket: Socket) => void) | undefined
}

/** A connection over any transport. */
export interface Link {
  /**
   * On a transport with messages (vocabulary/transport) each write is a message, and so is each
   * chunk that is read. A string is a message of text, if the transport distinguishes text and
   * binary.
   */
  readonly stream: Duplex
  /** The stream below, if there is one: the system has figures of that one only. */
  readonly below?: Duplex | undefined
  /** What both sides agreed on, a line each, for people: protocol, cipher, certificate. */
  readonly details: readonly string[]
  /** The round trip of a ping, in milliseconds, where the transport has pings. */
  readonly ping?: (() => Promise<number>) | undefined
}

/**
 * Makes a link over which small messages are sent at once, and whose two directions end by
 * themselves. Rejects with the system's error.
 */
export type Dial = (target: Target, timeoutMs: number, signal?: AbortSignal) => Promise<Link>
