/** What the life of a load (life.ts) asks of an engine, which alone has connections. */

export interface Mover<S> {
  /** The steady connections that still carry something; the life ends when there are none. */
  readonly open: number
  /** Closed loop: every stream may send its first messages. */
  begin(now: number): void
  /** Sends what a stream may send now, and closes its connection if nothing is left to do. */
  send(stream: S, now: number): void
  /** Closes a connection at once; what it still owes is lost. */
  giveUp(stream: S): void
  /**
   * Counts as sent what the system has taken, at that time if no better one is known. Left out
   * where the system itself says when it has taken a message.
   */
  settle?(atNs?: number): void
  /**
   * Sends nothing more; whether the system has said how much it took of each message. Called
   * again until it has. Left out where that is known at any time.
   */
  halt?(): boolean
}

/** Connections beside the steady ones, which have a schedule of their own. */
export interface ShortConnections {
  /** When the next one is to begin; Infinity while there is no room, and after the last one. */
  readonly nextNs: number
  /** Whether all have ended, and no more will be due. */
  readonly done: boolean
  start(now: number): void
  /** Begins those that are due. */
  plan(now: number): void
  /** Ends those that are under way. */
  abandon(): void
}
