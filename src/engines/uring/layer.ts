/**
 * A layer is a protocol, such as TLS, between the bytes on the wire and the bytes that are echoed.
 * The ring moves the bytes on the wire, and does not know what they contain. A layer gets received
 * bytes, and decides what to send.
 */
import type { FailureName } from '../../metrics/meter.ts'
import type { Parting } from '../leave.ts'

/** Memory from which bytes are sent. */
export interface SendMemory {
  readonly address: number
  readonly bytes: Uint8Array
}

/** What a layer can do with a connection. */
export interface Wire {
  /**
   * Sends bytes that lie in the source.
   * @param stays whether they stay there until this turn's sends are known; else they are copied
   */
  send(slot: number, at: number, length: number, stays: boolean): void
  /** Sends bytes that lie elsewhere: they are copied. */
  sendBytes(slot: number, bytes: Uint8Array): void
  /**
   * Sends FIN when all is sent. The peer is expected to send FIN, too.
   * @param reason the class under which the layer counted the failure, if there was one
   */
  leave(slot: number, reason?: FailureName): void
  /**
   * Closes when all is sent, without waiting for the peer.
   * @param reason the class under which the layer counted the failure, if there was one
   */
  end(slot: number, reason?: FailureName): void
  /**
   * Closes at once.
   * @param reason the class under which the layer counted the failure
   */
  refuse(slot: number, reason: FailureName): void
  /** Handles the connection again when this turn is over, as if something had come. */
  later(slot: number): void
}

export interface Layer {
  readonly source: SendMemory
  wire: Wire
  opened(slot: number): void
  /**
   * Bytes came into a buffer.
   * @param discards whether their content is not answered any more
   */
  received(slot: number, at: number, length: number, discards: boolean): void
  /** The peer has sent FIN. */
  ended(slot: number): void
  /** The connection broke. */
  broke(slot: number): void
  /**
   * The server leaves: the layer announces the end if engines/leave says so. Returns what is left
   * to do.
   */
  sayEnd(slot: number): Exclude<Parting, 'announce'>
  closed(slot: number): void
  /** To be called when all results of the last turn are known. */
  endTurn(): void
  /**
   * @param isFull no further client is accepted
   * @returns whether memory was freed
   */
  onTick(nowMs: number, isFull: boolean): boolean
  close(): void
}
