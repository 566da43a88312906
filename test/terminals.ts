/** Programs in a terminal of their own, which Python opens. */
import { missing, Program, root } from './program.ts'

/** Why there are none. */
export const noTerminal =
  process.platform === 'win32' ? 'python has no terminals on Windows' : missing('python3')

/** With stdin for what is typed. @param command options of terminal.py may be in front of it */
export const inTerminal = (...command: string[]): Program =>
  new Program('python3', [`${root}test/peers/terminal.py`, ...command], 'open')
