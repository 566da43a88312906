/**
 * npm run bench:gaps: whether even arrivals are even over threads. A server measures the gaps
 * between the messages of an open loop, whichever thread sends them.
 */
import { createServer, type AddressInfo } from 'node:net'
import { bench, type BenchOptions } from 'yodel'

const rounds = 9
const ratePerSecond = 1_000
const [engine = 'node'] = process.argv.slice(2) as NonNullable<BenchOptions['engine']>[]
const times: number[] = []
const server = createServer({ noDelay: true }, socket =>
  socket.on('data', data => {
    times.push(performance.now())
    socket.write(data)
  }),
)
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

const at = (ordered: readonly number[], share: number) =>
  ordered[Math.floor(ordered.length * share)]!
const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b)

const wanted = [0.1, 0.5, 0.9]
const found = new Map<number, number[][]>([1, 2, 4].map(threads => [threads, []]))
for (let round = 0; round < rounds; round++)
  for (const [threads, quantiles] of found) {
    times.length = 0
    const pace = { ratePerSecond, connections: 8, warmupMs: 0, durationMs: 2_000 }
    await bench(`tcp://127.0.0.1:${port}`, { engine, threads, ...pace }).finished
    // The first ones compile.
    const measured = times.slice(ratePerSecond / 2)
    const gaps = sorted(measured.slice(1).map((time, n) => (time - measured[n]!) * 1e3))
    quantiles.push(wanted.map(share => at(gaps, share)))
  }
for (const [threads, quantiles] of found) {
  const medians = wanted.map((_, which) => at(sorted(quantiles.map(of => of[which]!)), 0.5))
  const text = medians.map(median => median.toFixed(0)).join(' / ')
  console.log(`${engine}, ${threads} thread${threads > 1 ? 's' : ''}: p10 / p50 / p90 ${text} us`)
}
server.close()
