/**
 * When a leaving server says FIN to a client (docs/serve.md): as soon as the client is quiet, since
 * what was under way has come then; after a while also to one that never is; and at the end of the
 * drain its connection is closed.
 */

/** Without a byte for so long, a client is quiet. */
export const quietMs = 20
/** A client that is never quiet is heard for so long, but for half of the drain at most. */
const talkMs = 200

/** When FIN is said to all clients, in milliseconds after the server was told to leave. */
export const finishAllAfterMs = (drainMs: number): number => Math.min(talkMs, drainMs / 2)
