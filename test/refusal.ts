/** What an engine cannot do on this machine. It is asked; to start it costs a thread or two. */
import { parseAddress, type Server } from 'yodel'
import type * as Engines from '../src/engines/index.ts'
import { root } from './program.ts'

const { engines } = (await import(`${root}dist/engines/index.js`)) as typeof Engines

/** Why the engine cannot serve here; false if it can. */
export const refusal = (engine: Server['engine']) => ask(engine, 'serve')

/** Why the engine cannot be used to measure here; false if it can. */
export const loadRefusal = (engine: Server['engine'], transport?: string) =>
  ask(engine, 'load', transport)

/** Node is never refused: what it cannot do is a failure. */
function ask(engine: Server['engine'], kind: 'serve' | 'load', transport = 'tcp'): string | false {
  if (engine === 'node') return false
  const asked = engines[engine]
  const address = parseAddress(`${transport}://127.0.0.1:0`)
  const task: unknown = { kind, engine, address, sharePort: false }
  return asked.refuses(task as Parameters<typeof asked.refuses>[0]) ?? false
}
