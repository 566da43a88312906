/** Each fault as a plain client meets it, with its parameter measured there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { parseFault, serve } from 'yodel'
import { dial, echo, pattern, until } from './client.ts'
import { onlyFull } from './full.ts'
import { fate, sleep, start } from './faulty.ts'

/** The pieces that arrive, and when, until so many bytes are there. */
async function record(socket: Socket, bytes: number): Promise<{ size: number; atMs: number }[]> {
  const pieces: { size: number; atMs: number }[] = []
  socket.on('data', (chunk: Buffer) => {
    pieces.push({ size: chunk.length, atMs: performance.now() })
  })
  await until(() => pieces.reduce((sum, { size }) => sum + size, 0) >= bytes)
  return pieces
}

const together = { concurrency: true }
const quantile = (values: number[], part: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(part * values.length)]!

describe('a delay', together, () => {
  test('is as long as was drawn, never shorter; its mean and jitter are right', async () => {
    const drawn: number[][] = []
    await using server = await serve(':0', {
      faults: [parseFault('delay=100ms~50ms')],
      onFaults(records) {
        for (const { connection, ms } of records) (drawn[connection] ??= []).push(ms!)
      },
    })
    await using prompt = await serve(':0', { engine: 'node' })
    /** What the machine takes besides: trips at the same time to a server without a delay. */
    const ways: number[] = []
    // One after the other, so that it is known which is which.
    const sockets: Socket[] = []
    for (let n = 0; n < 40; n++) sockets.push(await dial(server.address))
    const measured = await Promise.all(
      sockets.map(async socket => {
        const trips: number[] = []
        const other = await dial(prompt.address)
        for (let n = 0; n < 5; n++) {
          const sentMs = performance.now()
          await echo(socket, 'ping')
          const backMs = performance.now()
          trips.push(backMs - sentMs)
          await echo(other, 'ping')
          ways.push(performance.now() - backMs)
        }
        socket.destroy()
        other.destroy()
        return trips
      }),
    )
    await until(() => drawn.flat().length === 200)
    const more = measured.flatMap((trips, connection) =>
      trips.map((trip, n) => trip - drawn[connection]![n]!),
    )
    assert.ok(Math.min(...more) >= -0.001, `${Math.min(...more)} ms`)
    // The machine delays only some of them; yodel would delay all of them.
    const [added, way] = [quantile(more, 0.1), quantile(ways, 0.9)]
    assert.ok(added < 5 + way, `${added} ms; the way took ${way} ms`)
    const delays = drawn.flat()
    const mean = delays.reduce((sum, ms) => sum + ms, 0) / delays.length
    // Three standard errors of 200 draws; with this seed it holds always or never.
    assert.ok(Math.abs(mean - 100) < 6.2, `${mean} ms`)
    for (const part of [0.25, 0.5, 0.75])
      assert.ok(Math.abs(quantile(delays, part) - (50 + 100 * part)) < 12, `${part} of them`)
    assert.ok(Math.min(...delays) >= 50 && Math.max(...delays) < 150)
  })

  test(
    'counts from arrival: those of several writes do not add up',
    { skip: onlyFull },
    async () => {
      await using server = await start('delay=200ms')
      const socket = await dial(server.address)
      const startedMs = performance.now()
      const arriving = record(socket, 10)
      for (let n = 0; n < 10; n++) {
        socket.write(Buffer.of(n))
        await sleep(2)
      }
      const pieces = await arriving
      const [first, last] = [pieces[0]!, pieces.at(-1)!].map(({ atMs }) => atMs - startedMs)
      const chunks = server.snapshot().faultsInjected
      assert.ok(chunks > 2, `${chunks} chunks`)
      assert.ok(first! >= 200 && last! < chunks * 200, `${chunks} chunks: ${first} to ${last} ms`)
      socket.destroy()
    },
  )
})

describe('what is cut, narrowed and put off', together, () => {
  test('a throttled connection has its rate within 5 percent', async () => {
    await using server = await start('throttle=100k/s')
    const rates = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = await dial(server.address)
        socket.write(pattern(100_000, 1))
        const pieces = await record(socket, 100_000)
        socket.destroy()
        return slope(pieces, 100) * 1e3
      }),
    )
    const rate = quantile(rates, 0.5)
    assert.ok(Math.abs(rate - 100_000) < 5000, `${rate} B/s`)
  })

  test(
    'a sliced stream arrives cut at these places, and complete',
    { skip: onlyFull },
    async () => {
      await using server = await start('slice=10 throttle=1k/s')
      const socket = await dial(server.address)
      const pieces: Buffer[] = []
      socket.on('data', (chunk: Buffer) => pieces.push(chunk))
      socket.end(pattern(500, 2))
      await once(socket, 'end')
      assert.ok(Buffer.concat(pieces).equals(pattern(500, 2)))
      // A client that is late finds several in one.
      assert.ok(pieces.every(({ length }) => length % 10 === 0))
      assert.ok(quantile(lengthsOf(pieces), 0.25) === 10, lengthsOf(pieces).join(' '))
    },
  )

  test('slow-accept delays the first echo, not those after it', async () => {
    await using server = await start('slow-accept=100ms')
    const startedMs = performance.now()
    const socket = await dial(server.address)
    const connectedMs = performance.now() - startedMs
    await echo(socket, 'hello')
    const firstMs = performance.now() - startedMs
    assert.ok(firstMs >= 100 && connectedMs < firstMs, `${connectedMs}, ${firstMs} ms`)
    for (let n = 0; n < 20; n++) await echo(socket, 'hello')
    assert.ok(performance.now() - startedMs - firstMs < 20 * 100)
    socket.end()
  })
})

const lengthsOf = (pieces: Buffer[]) => pieces.map(({ length }) => length)

/**
 * Bytes per millisecond, from the piece of the first quarter and the one of the last that are the
 * earliest by the rate: what a busy machine makes late does not count.
 */
function slope(pieces: { size: number; atMs: number }[], ratePerMs: number): number {
  let bytes = 0
  const points = pieces.map(({ size, atMs }) => ({ atMs, bytes: (bytes += size) }))
  const earliest = (some: typeof points) => {
    const lateMs = some.map(({ atMs, bytes }) => atMs - bytes / ratePerMs)
    return some[lateMs.indexOf(Math.min(...lateMs))]!
  }
  const quarter = Math.floor(points.length / 4)
  const [first, last] = [earliest(points.slice(0, quarter)), earliest(points.slice(-quarter))]
  return (last.bytes - first.bytes) / (last.atMs - first.atMs)
}

/**
 * Node says `end` in the place of ECONNRESET if it finds data and RST at once, as a client on a
 * busy machine does now and then: so one of several must be right.
 */
async function inOneOfFive(measure: () => Promise<void>): Promise<void> {
  for (let left = 4; left > 0; left--) {
    try {
      return await measure()
    } catch {
      // Again.
    }
  }
  await measure()
}

test('truncate is FIN, reset is RST, each after its bytes or its time', () =>
  inOneOfFive(async () => {
    await using server = await start('')
    for (const [faults, end] of [
      ['truncate=1000', 'closed after 1000'],
      ['truncate=0', 'closed after 0'],
      ['reset=1000', 'ECONNRESET after 1000'],
      ['reset=50ms', 'ECONNRESET after 3000'],
      // A connection that waits for another fault is reset too.
      ['hang=5 reset=50ms', 'ECONNRESET after 5'],
      ['reset=50ms delay=1h', 'ECONNRESET after 0'],
      ['refuse', 'ECONNRESET after 0'],
    ] as const) {
      await until(() => server.counts().open === 0)
      await server.setFaults(faults.split(' ').map(parseFault))
      assert.equal(await fate(server, pattern(3000, 4)), end, faults)
    }
  }))
