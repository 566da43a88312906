/**
 * How far apart agents begin: on one machine they have one clock, so the offset that one finds is
 * by how much it begins too early or too late.
 *
 *   npm run bench:agents:start -- [--agents 5] [--rounds 20]
 */
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bench, serve } from 'yodel'
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
const server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
const children = Array.from({ length: agents }, (_, n) =>
  spawn(process.execPath, [main, 'agent', broker.url, '--name', `a${n + 1}`], { stdio: 'ignore' }),
)
for (let round = 0; round < rounds; round++) {
  const options = { connections: agents, ratePerSecond: 100, durationMs: 200, warmupMs: 0 } as const
  await bench(server.address, { ...options, agents, broker: broker.url, agentTimeoutMs: 60_000 })
    .finished
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
for (const [what, all] of Object.entries({ offsets, bounds, spreads }))
  console.log(`${what}: p50 ${at(all, 0.5)} ms, p95 ${at(all, 0.95)} ms, most ${at(all, 1)} ms`)
for (const child of children) {
  child.kill()
  await once(child, 'exit')
}
await server.close('now')
await broker.kill()
