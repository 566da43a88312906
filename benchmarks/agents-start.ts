/**
 * How far apart agents begin: each sends one message at the beginning, and the server sees when
 * they come. On one machine agents also have one clock, so an offset that one finds is an error.
 *
 *   npm run bench:agents:start -- [--agents 5] [--rounds 20]
 */
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bench } from 'yodel'
import { eavesdropper, startBroker } from '../test/peers/mqtt.ts'

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '20' },
  },
})
const [agents, rounds] = [Number(values.agents), Number(values.rounds)]
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

const broker = await startBroker()
await using ear = await eavesdropper(broker.url)
let came: number[] = []
const server = createServer(socket => {
  socket.on('error', () => {})
  socket.on('data', (data: Buffer) => {
    came.push(performance.now())
    socket.write(data)
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
const children = Array.from({ length: agents }, (_, n) =>
  spawn(process.execPath, [main, 'agent', broker.url, '--name', `a${n + 1}`], { stdio: 'ignore' }),
)
process.once('exit', () => children.forEach(child => child.kill()))
const apart: number[] = []
for (let round = 0; round < rounds; round++) {
  came = []
  // By the plan all of them are due within microseconds.
  const options = { connections: agents, ratePerSecond: 1e6, count: agents, warmupMs: 0 } as const
  await bench(address, { ...options, agents, broker: broker.url, agentTimeoutMs: 60_000 }).finished
  apart.push(Math.max(...came) - Math.min(...came))
}
const found = ear.heard.filter(({ words }) => words.kind === 'synced')
const at = (all: readonly number[], share: number) =>
  all.toSorted((a, b) => a - b)[Math.ceil(share * all.length) - 1]!.toFixed(3)
const offsets = found.map(({ words }) => Math.abs(words['offsetMs'] as number))
const bounds = found.map(({ words }) => words['errorMs'] as number)
const spreads = Array.from({ length: rounds }, (_, n) => {
  const own = found.slice(n * agents, (n + 1) * agents).map(({ words }) => words['offsetMs'])
  return Math.max(...(own as number[])) - Math.min(...(own as number[]))
})
const figures = {
  'first messages, first to last': apart,
  'errors of offsets': offsets,
  'bounds of them': bounds,
  'offsets, least to largest': spreads,
}
for (const [what, all] of Object.entries(figures))
  console.log(`${what}: p50 ${at(all, 0.5)} ms, p95 ${at(all, 0.95)} ms, most ${at(all, 1)} ms`)
for (const child of children) {
  child.kill()
  await once(child, 'exit')
}
server.close()
await broker.kill()
