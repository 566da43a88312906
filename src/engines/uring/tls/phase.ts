/** The phases of a connection of a server. */
export const phase = {
  /** Nothing has come, or nothing was looked at yet. */
  SILENT: 0,
  HANDSHAKE: 1,
  OPEN: 2,
  /** We have sent close_notify. */
  ENDING: 3,
  /** The connection has failed, and is not read any more. */
  BROKEN: 4,
} as const

/** The stage of each phase, for the policy of leaving. */
export const stages = ['silent', 'handshake', 'open', 'over', 'over'] as const
