/**
 * What an engine does for the life of a load (life.ts): it has the connections, and moves bytes.
 */

export interface Mover<S> {
  /** The steady connections that are open; the load ends when there are none. */
  readonly open: number
  /** Closed loop: every stream may send its first messages. */
  begin(now: number): void
  /** Sends what a stream may send now, and closes its connection if nothing is left to do. */
  send(stream: S, now: number): void
  /** Closes a connection at once; its unanswered messages are lost. */
  giveUp(stream: S): void
  /**
   * Tells the streams how much of them the system has accepted. Left out if the system itself
   * reports when it has accepted a message.
   * @param atNs when the system accepted that, if the engine does not know the exact instant
   */
  countSent?(atNs?: number): void
  /**
   * Stops sending. Returns whether the system has reported how much of each message it has
   * accepted; this is called again until it has. Left out if that is known at any time.
   */
  halt?(): boolean
}

/** Churn: short connections in addition to the steady ones, with a schedule of their own. */
export interface ShortConnections {
  /**
   * When the next short connection is to begin; Infinity while there is no room, and after the last
   * one.
   */
  readonly nextNs: number
  /** Whether all have ended, and no more will be due. */
  readonly done: boolean
  start(now: number): void
  /** Begins the short connections that are due. */
  plan(now: number): void
  /** Ends the short connections that have begun. */
  abandon(): void
}
