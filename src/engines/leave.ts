/**
 * When a stopping server sends FIN to a client (docs/serve.md): as soon as the client is quiet,
 * since then everything it had sent has come; or after a time limit. At the end of the drain the
 * connection is closed.
 */

/** A client that has sent nothing for this long is quiet. */
export const quietMs = 20
/** A client that is never quiet is echoed for this long, and for half of the drain at most. */
const talkMs = 200

/** When FIN is sent to all clients, in milliseconds after the server was told to stop. */
export const finishAllAfterMs = (drainMs: number): number => Math.min(talkMs, drainMs / 2)
