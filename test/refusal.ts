/** What an engine cannot do on this machine. */
import { bench, serve, UserError, type ServeOptions, type Server } from 'yodel'

/** Why the engine cannot serve here; false if it can. */
export const refusal = (engine: Server['engine'], options: ServeOptions = {}) =>
  once(engine, `serve ${JSON.stringify(options)}`, async () => {
    await (await serve('tcp://127.0.0.1:0', { ...options, engine })).close('now')
  })

/** Why the engine cannot be used to measure here; false if it can. */
export const loadRefusal = (engine: Server['engine']) =>
  once(engine, 'bench', async () => {
    await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
    await bench(server.url, { engine, count: 1, warmupMs: 0 }).finished
  })

const known = new Map<string, Promise<string | false>>()

/** The answer stays the same. Node is never refused: what it cannot do is a failure. */
function once(engine: Server['engine'], what: string, attempt: () => Promise<void>) {
  const key = `${engine} ${what}`
  const answer =
    known.get(key) ?? (engine === 'node' ? Promise.resolve<false>(false) : refused(attempt))
  known.set(key, answer)
  return answer
}

async function refused(attempt: () => Promise<void>): Promise<string | false> {
  try {
    await attempt()
    return false
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}
