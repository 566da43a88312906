/**
 * How a stopping server ends its connections (docs/serve.md): when it tells each client, and how.
 * Only the decisions are here: an engine says which stage a connection has reached, and does what
 * is decided. A server that is told a second time to stop closes all connections at once.
 */

/**
 * A client that has sent nothing for this long is quiet: everything it had sent before has come.
 * So this is also the time from one look at the connections to the next.
 */
export const quietMs = 20
/** A client that is never quiet is echoed for this long, and for half of the drain at most. */
const talkMs = 200

/** How long the server has been leaving, and how long it may. */
export interface DrainTime {
  drainMs: number
  leavingMs: number
}

/** What a look at a connection finds. */
export interface Seen {
  /** Nothing has come since the last look. */
  isQuiet: boolean
  /** The client was told that the server leaves. */
  isTold: boolean
}

/** What to do after a look: nothing, tell the connection (see partingOf), or close it. */
export type DrainStep = 'wait' | 'tell' | 'cut'

export function nextStep({ drainMs, leavingMs }: DrainTime, { isQuiet, isTold }: Seen): DrainStep {
  // A client is told before it is cut, however short the drain is: what it sent before is still
  // answered.
  if (isTold) return leavingMs >= drainMs ? 'cut' : 'wait'
  return isQuiet || leavingMs >= Math.min(talkMs, drainMs / 2) ? 'tell' : 'wait'
}

/** Whether the drain is over for connections that were told. */
export const isDrainOver = (time: DrainTime): boolean =>
  nextStep(time, { isQuiet: false, isTold: true }) === 'cut'

/** The stages of a connection that is not served yet. */
export type Unserved =
  /** It was accepted, and waits until there is a place for it. */
  | 'queued'
  /** Its handshake has not begun. */
  | 'silent'
  | 'handshake'

/** The stages of a connection that is served. */
export type Served =
  /** No answer is incomplete: whatever is sent next, such as FIN, comes after whole answers. */
  | 'open'
  /** An answer is under way that FIN would overtake, or cut short. */
  | 'answering'
  /**
   * The server has announced the end in its protocol (close_notify, a close frame, GOAWAY), and the
   * client has not answered it yet.
   */
  | 'told'
  /** The protocol has ended on both sides; only FIN is missing. */
  | 'over'

/** What to do with a connection that is told. */
export type Parting =
  /** Close it at once: nothing has come that could be answered. */
  | 'cut'
  /** Nothing yet: a handshake or an answer is under way, and ends by itself. Ask again then. */
  | 'later'
  /** Announce the end in the protocol of the connection. */
  | 'announce'
  /** Send FIN, behind everything that is still to be sent. */
  | 'end'

/** How a server ends a connection, by its protocol. */
const manners = {
  /** Only FIN can announce the end. */
  bytes: { open: 'end', answering: 'later' },
  /** close_notify, then FIN (RFC 8446 section 6.1). */
  tls: { open: 'announce', answering: 'announce' },
  /** A close frame with 1001, which the client answers with its own (RFC 6455 section 7.1). */
  ws: { open: 'announce', answering: 'announce' },
  /** `Connection: close` in answers that have not begun; FIN if there is none (RFC 9112, 9.6). */
  http1: { open: 'end', answering: 'announce' },
  /** GOAWAY: requests under way are still answered, and no others (RFC 9113 section 6.8). */
  http2: { open: 'announce', answering: 'announce' },
} as const satisfies Record<string, Record<'open' | 'answering', Parting>>

export type Manner = keyof typeof manners
export const mannerNames = Object.keys(manners) as Manner[]

export function partingOf(stage: Unserved): Parting
export function partingOf(stage: Unserved | Served, manner: Manner): Parting
export function partingOf(stage: Unserved | Served, manner: Manner = 'bytes'): Parting {
  switch (stage) {
    case 'queued':
    case 'silent':
      return 'cut'
    case 'handshake':
    case 'told':
      return 'later'
    case 'over':
      return 'end'
    default:
      return manners[manner][stage]
  }
}

/** How long a client that was refused may take to read why. */
export const lingerMs = 1_000

/** How long a client may take to close after the protocol has ended. */
export const closeWithinMs = (drainMs: number): number => Math.max(drainMs, lingerMs)
