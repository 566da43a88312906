/**
 * Which clients are too slow: those that others wait for in a handshake, and idle ones. Time is
 * counted in scans, not by the clock: so no client is called slow because this thread was too busy
 * to read it, or because the whole process slept.
 */

/** The time from one scan of the handshakes to the next. */
export const scanMs = 250
/** How many scans a client has for its first message, which it can send at once. */
const firstScans = 4
/** How many scans it has for its answers: it may be as busy as this server. */
const laterScans = 12

/**
 * Whether a handshake is slow, so that its place is for another client.
 * @param scans since it began
 * @param isAnswered whether it was sent anything
 */
export const isSlow = (scans: number, isAnswered: boolean): boolean =>
  scans > (isAnswered ? laterScans : firstScans)

/** Whether it is too early for any to be slow: so are all that began later. */
export const isEarly = (scans: number): boolean => !isSlow(scans, false)

/** How many handshakes may be under way at once; other connections wait with their first bytes. */
export const underWayMax = 1_000

/** Scans per idle timeout: an idle connection is closed at most a quarter of the timeout late. */
export const idleScans = 4

/** @param scans how many times in a row nothing had moved */
export const isIdle = (scans: number): boolean => scans >= idleScans
