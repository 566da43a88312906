/** The engines by name: the ways of asking the operating system to move bytes. */

export const engineNames = ['node', 'uring', 'blocking'] as const
export type EngineName = (typeof engineNames)[number]

/** What may be asked for: `auto` takes the first that can do the task. */
export const wantedEngines = ['auto', ...engineNames] as const
export type WantedEngine = (typeof wantedEngines)[number]
