/**
 * Six clients come at once. Each says a line, stays for two seconds after its echo, and leaves.
 * When all have gone, a line for each client shows when it waited (─) and when it was served (█).
 *
 *     npm run crowd            or: node build/examples/crowd.js PORT STAY_MS
 */
import { once } from 'node:events'
import { connect } from 'node:net'

const [port = '7007', stayMs = '2000'] = process.argv.slice(2)
const clients = 6
/** How long one character of the drawing is. */
const stepMs = Number(stayMs) / 8

interface Visit {
  number: number
  servedMs: number
  leftMs: number
}

const say = (text: string) => void process.stdout.write(`${text}\n`)
const startMs = performance.now()
const now = () => performance.now() - startMs

async function visit(number: number): Promise<Visit> {
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`I am client ${number}\n`)
  // Connected it is at once, but this waits until it is served.
  await once(socket, 'data')
  const servedMs = now()
  say(`client ${number} has its echo after ${(servedMs / 1e3).toFixed(1)} s`)
  await new Promise(resolve => setTimeout(resolve, Number(stayMs)))
  const leftMs = now()
  socket.end().resume()
  await once(socket, 'close')
  return { number, servedMs, leftMs }
}

const draw = ({ number, servedMs, leftMs }: Visit): string => {
  const waited = Math.round(servedMs / stepMs)
  const served = Math.round((leftMs - servedMs) / stepMs)
  return `client ${number}  ${'─'.repeat(waited)}${'█'.repeat(served)}`
}

try {
  const numbers = Array.from({ length: clients }, (_, index) => index + 1)
  const visits = await Promise.all(numbers.map(visit))
  for (const its of visits.toSorted((a, b) => a.servedMs - b.servedMs)) say(draw(its))
  say(`All have gone after ${(now() / 1e3).toFixed(1)} s.`)
} catch (error) {
  say(`${(error as Error).message}. Is a server there? Start it with: npx yodel serve`)
  process.exitCode = 3
}
