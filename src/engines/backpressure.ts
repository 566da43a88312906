/** Backpressure instead of buffering: a client that does not read is not read from either. */

/** With more bytes unsent, a client is not read from until all of them have left. */
export const unsentMaxBytes = 128 * 1024

/**
 * A client is not read from for now. Each engine has one function for it, through which all its
 * protocols go.
 */
export type HoldBack = (client: { pause(): unknown }) => void
