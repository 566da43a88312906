/** The phases of a connection of a server. */
export const phase = {
  /** Nothing has come, or nothing was looked at yet. */
  SILENT: 0,
  HANDSHAKE: 1,
  OPEN: 2,
  /** We have sent close_notify. */
  ENDING: 3,
  /** It failed: nothing of it is read. */
  BROKEN: 4,
} as const

/** What a phase means for a server that leaves. */
export const stages = ['silent', 'handshake', 'open', 'over', 'over'] as const
