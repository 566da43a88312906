/**
 * The server of a soak: yodel's library in a process of its own. argv[2] are its options, argv[3]
 * is what it serves; every line on stdin is answered with what it has counted, and the end of stdin
 * ends it.
 */
import { createInterface } from 'node:readline'
import { serve, UserError, type ServeOptions } from 'yodel'

const options = JSON.parse(process.argv[2]!) as ServeOptions
const say = (what: object) => console.log(JSON.stringify(what))

try {
  const server = await serve(process.argv[3]!, options)
  say({ url: server.url, engine: server.engine, notes: server.notes })
  for await (const _ of createInterface(process.stdin)) {
    // Memory is looked at after this: what is garbage shall not count (see --expose-gc).
    ;(globalThis as { gc?: () => void }).gc?.()
    const counted = Object.entries(server.snapshot()).filter(([, n]) => typeof n === 'number')
    say(Object.fromEntries(counted))
  }
  await server.close()
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ refusal: error.message })
}
