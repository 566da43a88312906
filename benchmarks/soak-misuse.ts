/**
 * A soak of one transport by clients of two kinds: those whose messages must come back, and those
 * of misuse.ts. After each epoch all have gone, and so must what the server held for them.
 */
import { randomBytes } from 'node:crypto'
import type { NetConnectOpts } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type ServeOptions, type Address } from 'yodel'
import {
  misuseNames,
  misuses,
  transportNames,
  transports,
  type MisuseName,
  type Parting,
} from './misuse.ts'
import { Dice } from './soak-behaviours.ts'
import { growthMaxBytes, growthOf } from './soak-campaign.ts'
import { SoakChild } from './soak-child.ts'

export type MisusedTransport = Address['transport']
/** Plain bytes have a soak of their own, and datagrams nothing to misuse. */
export const misusedTransports: readonly MisusedTransport[] = transportNames.filter(
  name => transports[name].secure || transports[name].protocol !== 'plain',
)

interface SoakTask {
  serverPath: string
  transport: MisusedTransport
  seed: number
  clients: number
  epochs: number
  epochMs: number
}

interface Look {
  verified: number
  misused: number
  privateBytes: number
  descriptors: number
}

/** If all clients have gone, the server has noticed it after this time. */
const quietMs = 20_000
/** An unfinished handshake is given up in an epoch; a busy machine takes seconds. */
const options: ServeOptions = { engine: 'node', handshakeTimeoutMs: 5_000 }
/** So long a misuse may take: it may wait until its handshake is given up. */
const patienceMs = 30_000
const partings: readonly Parting[] = ['closes', 'resets', 'stays']

/** What was wrong; nothing if it is sound. The first epoch is for what is opened once. */
export async function soakMisuse(
  task: SoakTask,
  onEpoch: (look: Look) => void,
): Promise<{ violations: string[]; growthBytes: number | undefined }> {
  const url = `${task.transport}://127.0.0.1:0`
  const server = new SoakChild(task.serverPath, options, undefined, url)
  const [violations, looks] = [[] as string[], [] as Look[]]
  try {
    await server.hello()
    for (let n = 0; n < task.epochs && violations.length === 0; n++) {
      const look = await epoch(task, server, n, violations)
      looks.push(look)
      onEpoch(look)
      const [first] = looks
      if (look.descriptors > first!.descriptors)
        violations.push(`${look.descriptors} descriptors; there were ${first!.descriptors}`)
    }
    const complaint = await server.leave(quietMs)
    if (complaint !== undefined) violations.push(`at the end: ${complaint}`)
  } finally {
    await server.kill()
  }
  const growthBytes = growthOf(looks.map(({ privateBytes }) => privateBytes))
  if (growthBytes !== undefined && growthBytes > growthMaxBytes)
    violations.push(`private memory has grown by ${Math.round(growthBytes / 2 ** 20)} MiB`)
  return { violations, growthBytes }
}

async function epoch(task: SoakTask, server: SoakChild, number: number, violations: string[]) {
  const endMs = performance.now() + task.epochMs
  let [verified, misused] = [0, 0]
  const client = async (index: number) => {
    const dice = new Dice(Math.imul(task.seed, 0x9e3779b1) ^ (number * task.clients + index))
    while (performance.now() < endMs && violations.length === 0) {
      if (dice.chance(0.4)) {
        verified += await exchange(task.transport, server.port, dice, violations)
        continue
      }
      await misuse(task.transport, server.port, dice, violations)
      misused++
    }
  }
  await Promise.all(Array.from({ length: task.clients }, (_, index) => client(index)))
  if (violations.length === 0) await quiet(server, violations)
  return { verified, misused, privateBytes: server.privateBytes, descriptors: server.descriptors }
}

/** Some messages on a connection; how many came back as they were. */
async function exchange(
  transport: MisusedTransport,
  port: number,
  dice: Dice,
  violations: string[],
): Promise<number> {
  const calling = {
    ...(transports[transport].secure && {
      tls: { insecure: true, ...(dice.chance(0.5) && http2(transport)) },
    }),
  }
  let count = 0
  try {
    const connection = await connect(`${transport}://127.0.0.1:${port}`, { calling })
    for (let left = dice.size(20); left > 0; left--, count++) {
      const sent = randomBytes(dice.size(100_000))
      const { reply } = await connection.echo(sent)
      if (!sent.equals(reply)) violations.push(`${sent.length} bytes came back as others`)
    }
    await connection.close()
  } catch (error) {
    violations.push(`a client in good order: ${(error as Error).message}`)
  }
  return count
}

const http2 = (transport: MisusedTransport) => transport === 'https' && { alpn: ['h2'] }

async function misuse(
  transport: MisusedTransport,
  port: number,
  dice: Dice,
  violations: string[],
): Promise<void> {
  const rows = Object.values(misuses[transport])
  const row = rows[dice.below(rows.length)]!
  const name: MisuseName = misuseNames[dice.below(misuseNames.length)]!
  const where: NetConnectOpts = { host: '127.0.0.1', port }
  const what = row[name]
  if (typeof what === 'string') return
  const over = what(where, partings[dice.below(partings.length)]!).then(() => true)
  const endMs = performance.now() + patienceMs
  // What another check finds ends it, too.
  while (violations.length === 0 && !(await Promise.race([over, sleep(100, false)])))
    if (performance.now() > endMs) violations.push(`'${name}' had no answer`)
}

async function quiet(server: SoakChild, violations: string[]): Promise<void> {
  for (const endMs = performance.now() + quietMs; performance.now() < endMs;) {
    const { open, waiting } = await server.ask()
    if (open + waiting === 0 && server.sockets.length === 0) return
    await sleep(50)
  }
  const { open, waiting } = await server.ask()
  violations.push(`all have gone; ${open} are open, ${waiting} wait, ${server.sockets.join()} left`)
}
