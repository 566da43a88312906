/** A known server in a process of its own: `node known-child.js JSON`. */
import { startKnown } from './known-server.ts'

const { known, framing } = JSON.parse(process.argv[2]!) as {
  known: Parameters<typeof startKnown>[0]
  framing: Parameters<typeof startKnown>[1]
}
const server = await startKnown(known, framing)
process.send!({ url: server.url, port: server.port })
process.on('message', () => process.send!(server.log))
process.on('disconnect', () => process.exit())
