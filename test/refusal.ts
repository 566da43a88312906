/** What an engine cannot do on this machine. */
import { serve, UserError, type ServeOptions, type Server } from 'yodel'

/** Why the engine cannot do this here; false if it can. */
export async function refusal(
  engine: Server['engine'],
  options: ServeOptions = {},
): Promise<string | false> {
  try {
    await (await serve('tcp://127.0.0.1:0', { ...options, engine })).close('now')
    return false
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}
