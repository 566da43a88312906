/** Backpressure instead of buffering: a client that does not read is not read from either. */

/** With more bytes unsent, a client is not read from until all of them have left. */
export const unsentMaxBytes = 128 * 1024

/**
 * Stops reading from a client for now. The node engine has one such function (`core/serve`) for
 * its protocols. The uring engine has `onMuch` (`outgoing`) instead, and the pipe of a large flow
 * (`bulk`), which takes no more when it is full. The blocking engine needs none: its thread does
 * not read while it sends.
 */
export type HoldBack = (client: { pause(): unknown }) => void
