/** What the ring does for a load, over any transport. */
import type { Mover } from '../../load/mover.ts'
import type { Stream } from '../../load/stream.ts'

export interface LoadMover extends Mover<Stream> {
  /** Whether flush() or endTurn() has something to do. */
  readonly hasDirty: boolean
  /** A connection that broke is open again. */
  reopen(stream: Stream, now: number): void
  /** A slot could not be connected. */
  failed(slot: number, error: Error): void
  /** Begins to receive on all connections. */
  receive(now: number): void
  onRecv(slot: number, generation: number, result: number, flags: number, now: number): void
  /** A send that does not wait was not sent whole. */
  onSendFailed(user0: number, user1: number, result: number): void
  /** A send that waits was sent. */
  onSent(slot: number, generation: number, result: number): void
  /** Issues all messages that may go now, and submits them. */
  flush(): void
  /** To be called between flush() and the next wait. */
  endTurn?(): void
  closeAll(): void
  /** To be called after the ring is closed. */
  close?(): void
}
