/** How a stream in one direction ends: what stops, is missing or cannot be does not pass. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server as NetServer } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { measureDirection, serve, type DirectionOptions, type Server } from 'yodel'
import type * as Frames from '../src/wire/direction/frames.ts'
import { root } from './program.ts'
import { mistakesIn } from './schemas.ts'

const { frameKinds, writeFrame } = (await import(
  `${root}dist/wire/direction/frames.js`
)) as typeof Frames
const sizeBytes = 1_000
const paced = { sizeBytes, ratePerSecond: 500, warmupMs: 0, durationMs: 400 } as const
const directions = { directions: true }
const portOf = ({ address }: Server) => (address as { port: number }).port

async function listening(server: NetServer): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A path of which `down` gets what comes down, and where it is to go. */
async function path(port: number, down: (chunk: Buffer, to: Socket) => void, ends = true) {
  const server = createServer(client => {
    const far = connect(port, '127.0.0.1')
    client.on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('error', () => client.destroy()).on('end', () => ends && client.end())
    client.on('data', chunk => far.write(chunk))
    far.on('data', chunk => down(chunk, client))
  })
  return { server, url: await listening(server) }
}

async function measured(url: string, options: DirectionOptions) {
  const result = await measureDirection(url, options).finished
  assert.deepEqual(mistakesIn('direction', result), [])
  return result
}

test('a path that stops in the middle: no pass, and the rate is that of the window', async () => {
  await using server = await serve('tcp://127.0.0.1:0', directions)
  let passed = 0
  const stopping = (chunk: Buffer, to: Socket) => {
    to.write(chunk.subarray(0, Math.max(0, 50_000 - passed)))
    passed += chunk.length
  }
  const { server: relay, url } = await path(portOf(server), stopping, false)
  const expect = ['down.rate>1.2Mbit/s']
  const options = { ...paced, direction: 'down', drainMs: 50, expect } as const
  const result = await measured(url, options)
  relay.close()
  const { receivedBytes, bytesPerSecond, sentBytes } = result.down!
  assert.ok(receivedBytes > 45_000 && receivedBytes < 50_000, `${receivedBytes}`)
  // 50 kB in 0.1 s, and nothing in the rest of 0.4 s.
  assert.ok(bytesPerSecond! * 0.4 < receivedBytes + 500, `${bytesPerSecond}`)
  assert.deepEqual([result.unfinished, sentBytes], [1, null])
  assert.match(result.failedBecause[0]!, /^The end of 1 flow did not come before the run was over/)
  assert.match(result.failedBecause[1]!, /^Expected down\.rate>1\.2Mbit\/s, measured/)
})

test('a drain of no time leaves a stream unfinished', async () => {
  await using server = await serve('tcp://127.0.0.1:0', directions)
  // What comes down is late by more than that.
  const late = (chunk: Buffer, to: Socket) => void setTimeout(() => to.write(chunk), 50)
  const { server: relay, url } = await path(portOf(server), late, false)
  const result = await measured(url, { ...paced, durationMs: 100, direction: 'up', drainMs: 0 })
  relay.close()
  assert.deepEqual([result.verdict, result.unfinished], ['fail', 1])
})

for (const transport of ['tcp', 'udp'] as const)
  test(`${transport}: what is stopped at once is unfinished`, async () => {
    await using server = await serve(`${transport}://127.0.0.1:0`, directions)
    const run = measureDirection(server.address, { ...paced, direction: 'down' })
    await run.ready
    while (run.snapshot().bytesVerified === 0) await new Promise(resolve => setTimeout(resolve, 5))
    run.stop('now')
    const { verdict, unfinished, down } = await run.finished
    assert.deepEqual([verdict, unfinished, down!.sentBytes], ['fail', 1, null])
  })

for (const [transport, direction] of [
  ['tcp', 'up'],
  ['ws', 'down'],
  ['http', 'down'],
] as const)
  test(`${transport} ${direction}: a server that leaves in the middle is no pass`, async () => {
    const server = await serve(`${transport}://127.0.0.1:0`, directions)
    const run = measureDirection(server.address, { ...paced, durationMs: 60_000, direction })
    await run.ready
    const came = () => run.snapshot().bytesConfirmed + run.snapshot().bytesVerified
    while (came() < 20_000) await new Promise(resolve => setTimeout(resolve, 10))
    const left = server.close()
    const { failedBecause, reasons } = await run.finished
    await left
    assert.deepEqual(failedBecause.slice(-1), ['1 flow failed: closedEarly.'])
    assert.deepEqual(reasons, ['the server ended the session before the run was over'])
  })

test('a report that was changed on the way is no figure, and no pass', async () => {
  await using server = await serve('tcp://127.0.0.1:0', directions)
  const { server: relay, url } = await path(portOf(server), (chunk, to) => {
    const at = chunk.indexOf('"lastMs":')
    // The least bit of a digit: it is another time then, and everything can be read.
    if (at !== -1) chunk[at + 9]! ^= 1
    to.write(chunk)
  })
  const result = await measured(url, { ...paced, durationMs: 100, direction: 'up' })
  relay.close()
  assert.deepEqual(result.failedBecause, ['1 flow failed: wrongBytes.'])
  assert.match(result.reasons.join(), /^the frame that ends at byte \d+ was changed on the way$/)
})

test('what never came before the end of the stream is missing', async () => {
  await using server = await serve('tcp://127.0.0.1:0', directions)
  let bytes = Buffer.alloc(0)
  const held: Buffer[] = []
  const { server: relay, url } = await path(portOf(server), (chunk, to) => {
    bytes = Buffer.concat([bytes, chunk])
    // The last three frames of payload are held back when the end comes.
    while (bytes.length >= 8 && bytes.length >= 8 + bytes.readUInt32BE(4)) {
      const frame = bytes.subarray(0, 8 + bytes.readUInt32BE(4))
      if (frame[0] === frameKinds.payload) held.push(frame)
      else to.write(frame)
      if (held.length > 3) to.write(held.shift()!)
      bytes = bytes.subarray(frame.length)
    }
  })
  const run = measureDirection(url, { ...paced, durationMs: Infinity, direction: 'down' })
  await run.ready
  while (run.snapshot().bytesVerified < 5_000) await new Promise(resolve => setTimeout(resolve, 5))
  run.stop()
  const result = await run.finished
  relay.close()
  assert.deepEqual(mistakesIn('direction', result), [])
  const { sentBytes, receivedBytes, missingBytes, underWayBytes } = result.down!
  assert.deepEqual([sentBytes! - receivedBytes, missingBytes, underWayBytes], [3_000, 3_000, 0])
  assert.match(result.failedBecause[0]!, /^3,000 bytes down never came/)
})

/** Payload frames up are counted; `end` says what the server answers in the end. */
async function liar(end: (gotBytes: number) => Buffer[]) {
  const server = createServer(socket => {
    let [bytes, hello, got] = [Buffer.alloc(0), true, 0]
    socket
      .on('error', () => {})
      .on('data', chunk => {
        bytes = Buffer.concat([bytes, chunk])
        if (hello && bytes.length >= 20 && bytes.length >= 20 + bytes.readUInt16BE(18)) {
          bytes = bytes.subarray(20 + bytes.readUInt16BE(18))
          hello = false
          socket.write(writeFrame(frameKinds.accepted, { from: 'x' }))
        }
        if (hello) return
        while (bytes.length >= 8 && bytes.length >= 8 + bytes.readUInt32BE(4)) {
          if (bytes[0] === frameKinds.payload) got += bytes.readUInt32BE(4)
          if (bytes[0] === frameKinds.end) socket.end(Buffer.concat(end(got)))
          bytes = bytes.subarray(8 + bytes.readUInt32BE(4))
        }
      })
  })
  return { server, url: await listening(server) }
}

const report = (bytes: number, isLast = true) =>
  writeFrame(frameKinds.report, {
    bytes,
    atMs: 100,
    wrongBytes: 0,
    ...(isLast && {
      end: { firstMs: 1, lastMs: 100, chunks: 3, gaps: { sumNs: 0, buckets: [] } },
    }),
  })
const over = (sentBytes: number) => writeFrame(frameKinds.end, { sentBytes })

for (const [name, end, reason] of [
  [
    'more than was sent',
    got => [report(got + 1), over(0)],
    /received \d+ bytes, but only \d+ were/,
  ],
  ['first more', got => [report(got * 3, false), report(got), over(0)], /but only \d+ were sent$/],
  ['less than before', got => [report(got, false), report(1), over(0)], /1 bytes, and before \d+$/],
  ['nothing at the end', got => [report(got, false), over(0)], /without its last report$/],
  ['less', got => [report(got - 500), over(0)], undefined],
] as [string, (got: number) => Buffer[], RegExp | undefined][])
  test(`a server that claims ${name} is not believed`, async () => {
    const { server, url } = await liar(end)
    const result = await measured(url, { ...paced, durationMs: 100, direction: 'up' })
    server.close()
    assert.equal(result.verdict, 'fail')
    if (reason) assert.match(result.reasons.join(), reason)
    else assert.match(result.failedBecause.join(), /^500 bytes up never came/)
    assert.ok(result.up!.sentBytes! < 100_000, `${result.up!.sentBytes}`)
  })
