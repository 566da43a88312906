/**
 * Decides which clients are too slow: in a handshake while others wait, or idle for too long. Time
 * is counted in scans, not by the clock: so no client is called slow because this thread was too
 * busy to read it, or because the whole process slept.
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

/** Whether a handshake cannot be slow yet; then no handshake that began later can. */
export const isEarly = (scans: number): boolean => !isSlow(scans, false)

/** How many handshakes may be under way at once. The first bytes of further connections wait. */
export const underWayMax = 1_000

/** Scans per idle timeout: an idle connection is closed at most a quarter of the timeout late. */
export const idleScans = 4

/** @param scans how many scans in a row have found that nothing moved */
export const isIdle = (scans: number): boolean => scans >= idleScans
