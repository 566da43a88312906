/** In one direction: the real client and server, verified on the side that receives. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { measureDirection, measureLoaded, serve, type DirectionOptions, type Server } from 'yodel'
import type * as Node from '../src/engines/node/index.ts'
import type * as Frames from '../src/wire/direction/frames.ts'
import { echo } from './client.ts'
import { full, onlyFull } from './full.ts'
import { root } from './program.ts'
import { mistakesIn } from './schemas.ts'
import { createTypist } from './typist.ts'

const engine = (await import(`${root}dist/engines/node/index.js`)) as typeof Node
const { askTrace, NoSession, trace } = engine
const typist = createTypist()
/** What is under way at the end is waited for, however busy the machine is. */
const short: DirectionOptions = { durationMs: 150, warmupMs: 50, drainMs: 60_000 }
const freeTcp = 'tcp://127.0.0.1:0'
const freeOf = (name: string) =>
  name === 'unix' ? `unix:/tmp/yodel-direction-${process.pid}` : `${name}://127.0.0.1:0`

/** One with sessions, and one without. */
let paired: Server
let plain: Server
before(async () => {
  paired = await serve(freeTcp, { directions: true })
  plain = await serve(freeTcp)
})
after(() => Promise.all([paired.close(), plain.close()]))
const portOf = ({ address }: Server) => (address as { port: number }).port

/** Each direction, over bytes, messages and bodies. */
const daily = ['tcp up', 'ws both', 'http down']
/** Without a rate a flow takes all of the machine: every day one is enough. */
const bounded = !full && { ratePerSecond: 1_000, sizeBytes: 10_000 }

for (const [transport, ...directions] of [
  ['tcp', 'up', 'down'],
  ['unix', 'both'],
  ['tls', 'both'],
  ['ws', 'both'],
  ['http', 'up', 'down'],
  ['https', 'both'],
] as const)
  for (const direction of directions) {
    const name = `${transport} ${direction}`
    const skip = !daily.includes(name) && onlyFull
    test(`${name}: what was sent arrives, and is right`, { skip }, async () => {
      await using server = await serve(freeOf(transport), { directions: true })
      const calling = ['tls', 'https'].includes(transport) ? { tls: { insecure: true } } : {}
      const options = { ...short, ...bounded, direction, connections: 2, calling }
      const result = await measureDirection(server.address, options).finished
      assert.deepEqual(result.failedBecause, [])
      assert.deepEqual(mistakesIn('direction', result), [])
      const sides = direction === 'both' ? (['up', 'down'] as const) : [direction]
      for (const side of sides) {
        const { sentBytes, receivedBytes, wrongBytes, bytesPerSecond } = result[side]!
        assert.ok(receivedBytes > 100_000, `${receivedBytes}`)
        assert.equal(sentBytes, receivedBytes)
        assert.equal(wrongBytes, 0)
        assert.ok(bytesPerSecond! > 0)
      }
      const counts = server.counts()
      assert.equal(counts.sessions, 2)
      if (direction === 'up') assert.ok(counts.bytesIn > result.up!.receivedBytes)
      else assert.ok(counts.bytesOut > result.down!.receivedBytes)
    })
  }

test('by a rate, so much is sent and no more', async () => {
  const options = { direction: 'both', ratePerSecond: 200, sizeBytes: 1000, ...short } as const
  const { up, down, verdict } = await measureDirection(paired.address, options).finished
  assert.equal(verdict, 'pass')
  for (const { sentBytes } of [up!, down!]) {
    assert.equal(sentBytes! % 1000, 0)
    assert.ok(sentBytes! >= 20_000 && sentBytes! <= 100_000, `${sentBytes}`)
  }
})

test('a server that may not serve it echoes it, and the client says so: exit 3', async () => {
  const { code, stderr } = await typist(['bench', plain.url, '--direction', 'up'])
  assert.equal(code, 3)
  assert.match(stderr, /does not serve directions: it echoes the session as it does any bytes/)
  assert.match(stderr, /yodel serve --directions/)
})

test('other servers: closed, silent, another protocol', async () => {
  const behaviours: [RegExp, (socket: Socket) => void][] = [
    [/it closed the connection/, socket => socket.end()],
    [/it sent no answer within 200ms/, () => {}],
    [/it answers something else/, socket => socket.write('220 mail.example ESMTP\r\n')],
  ]
  for (const [message, behave] of behaviours) {
    const server = createServer(socket => behave(socket.on('error', () => {}))).listen(0)
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const options = { direction: 'down', timeoutMs: 200 } as const
    await assert.rejects(measureDirection(`tcp://127.0.0.1:${port}`, options).finished, message)
    server.close()
  }
})

/** A path that changes or cuts what goes through it. */
async function path(port: number, change: (chunk: Buffer, up: boolean) => readonly Buffer[]) {
  const server = createServer(client => {
    const far = connect(port, '127.0.0.1')
    const relay = (from: Socket, to: Socket, up: boolean) =>
      from
        .on('data', chunk => change(chunk, up).forEach(piece => to.write(piece)))
        .on('end', () => to.end())
        .on('error', () => to.destroy())
    relay(client.setNoDelay(), far, true)
    relay(far.setNoDelay(), client, false)
  }).listen(0)
  await once(server, 'listening')
  return { server, url: `tcp://127.0.0.1:${(server.address() as { port: number }).port}` }
}

for (const direction of ['up', 'down'] as const)
  test(`${direction}: a bit that is flipped on the way is found, and its place`, async () => {
    let passed = 0
    const { server, url } = await path(portOf(paired), (chunk, up) => {
      const before = passed
      if (up === (direction === 'up')) passed += chunk.length
      if (before < 150_000 && passed >= 150_000) chunk[150_000 - before - 1]! ^= 0x10
      return [chunk]
    })
    const options = { direction, ratePerSecond: 500, ...short } as const
    const result = await measureDirection(url, options).finished
    assert.equal(result.verdict, 'fail')
    assert.deepEqual(mistakesIn('direction', result), [])
    const { wrongBytes, firstWrong } = result[direction]!
    assert.equal(wrongBytes, 1)
    assert.ok(firstWrong!.offset > 149_000 && firstWrong!.offset < 150_000)
    assert.notEqual(firstWrong!.expected, firstWrong!.received)
    server.close()
  })

test('a byte that is missing is found', async () => {
  let chunks = 0
  const { server, url } = await path(portOf(paired), (chunk, up) =>
    up && ++chunks === 5 ? [chunk.subarray(1)] : [chunk],
  )
  const options = { direction: 'up', ratePerSecond: 500, ...short } as const
  const result = await measureDirection(url, options).finished
  assert.equal(result.verdict, 'fail')
  server.close()
})

test('a hello in pieces of one byte is one, too', async () => {
  let hello = true
  const { server, url } = await path(portOf(paired), (chunk, up) => {
    if (!up || !hello) return [chunk]
    hello = false
    return Array.from(chunk, byte => Buffer.from([byte]))
  })
  const result = await measureDirection(url, { direction: 'up', ...short }).finished
  assert.deepEqual(result.failedBecause, [])
  server.close()
})

test('what only begins like a session is echoed at once, byte by byte', async () => {
  const port = portOf(paired)
  const socket = connect(port, '127.0.0.1')
  for (const byte of '\0yodel\0') assert.equal(await echo(socket, byte), byte)
  assert.equal(await echo(socket, '\0yodel'), '\0yodel')
  socket.end()
  await once(socket, 'close')
})

test('FIN after the beginning of a session is answered', async () => {
  const port = portOf(paired)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end('\0yo')
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk))
  await once(socket, 'end')
  assert.equal(Buffer.concat(chunks).toString(), '\0yo')
})

for (const threads of [1, 2])
  test(`a trace is asked for on another connection; ${threads} threads`, async () => {
    await using own = threads > 1 ? await serve(freeTcp, { directions: true, threads }) : undefined
    const port = portOf(own ?? paired)
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const { id, accepted } = await trace(socket, 5_000)
    assert.equal(accepted.from, `127.0.0.1:${socket.localPort}`)
    assert.equal(await echo(socket, 'within'), 'within')
    const ask = async (of = id) => askTrace(connect(port, '127.0.0.1'), of, 5_000)
    const open = (await ask())!
    assert.deepEqual([open.isOpen, open.bytesIn, open.bytesOut], [true, 6, 6])
    assert.equal(open.digest, createHash('sha256').update('within').digest('hex'))
    assert.equal(Buffer.from(open.head, 'hex').toString(), 'within')
    socket.end()
    socket.resume()
    await once(socket, 'close')
    const closed = (await ask())!
    assert.equal(closed.isOpen, false)
    assert.deepEqual(
      closed.events.map(({ what }) => what),
      ['bytes', 'fin', 'ended', 'closed'],
    )
    assert.equal(await ask('0'.repeat(32)), null)
  })

test('a server without sessions is no pair', async () => {
  const port = portOf(plain)
  await assert.rejects(trace(connect(port, '127.0.0.1'), 5_000), NoSession)
})

test('what a server says of a refusal reaches no terminal as it is', async () => {
  const { frameKinds, writeFrame } = (await import(
    `${root}dist/wire/direction/frames.js`
  )) as typeof Frames
  const refusal = writeFrame(frameKinds.refused, { reason: 'it is \u001b[31mred\u202e' })
  const server = createServer(socket => socket.once('data', () => socket.end(refusal)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const { code, stderr } = await typist(['bench', `127.0.0.1:${port}`, '--direction', 'up'])
  server.close()
  assert.equal(code, 3, stderr)
  assert.match(stderr, /refused: it is \S+red\S+\./)
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(stderr, /[\u001b\u202e]/)
})

test('what only an echo has is refused', async () => {
  const to = ['bench', 'tcp://127.0.0.1:1', '--direction', 'up']
  for (const extra of [
    ['--depth', '3'],
    ['--churn', '5'],
    ['--find-max', 'p99<5ms'],
  ]) {
    const { code, stderr } = await typist([...to, ...extra])
    assert.equal(code, 2, stderr)
    assert.match(stderr, new RegExp(`${extra[0]} is not for --direction`))
  }
})

test('latency under load: idle, loaded, the difference, and a page', async () => {
  const run = measureLoaded(paired.address, { load: 'both:2', durationMs: 300, warmupMs: 200 })
  const { idleUs, loadedUs, addedUs, flows, grade, roundTripsPerMinute, ...rest } =
    await run.finished
  assert.deepEqual(rest.failedBecause, [])
  assert.ok(idleUs.count > 10 && loadedUs.count > 10)
  assert.equal(addedUs.p50, loadedUs.p50! - idleUs.p50!)
  assert.ok(flows.up!.receivedBytes > 0 && flows.down!.receivedBytes > 0)
  assert.equal(flows.run.flows, 2)
  assert.ok(grade !== null && roundTripsPerMinute! > 0)
  assert.deepEqual(mistakesIn('loaded', await run.finished), [])
})

test('--load: text, a page, and what makes no sense', async () => {
  const at = `${tmpdir()}/yodel-loaded-${process.pid}`
  const [path, summary] = [`${at}.html`, `${at}.md`]
  const short = ['--duration', '200ms', '--warmup', '100ms']
  const saving = ['--output', path, '--output', summary]
  const expect = ['--expect', 'added.p50<1h', '--expect', 'perMinute>1']
  const to = ['bench', paired.url, '--load', 'up:1', ...short]
  const done = await typist([...to, ...expect, ...saving])
  assert.equal(done.code, 0, done.stderr)
  assert.match(done.stdout, /expected +held +added\.p50<1h/)
  assert.match(done.stdout, /bufferbloat +\w+: .*\n[^]*per minute +[\d,]+ round trips under load/)
  const page = readFileSync(path, 'utf8')
  assert.match(readFileSync(summary, 'utf8'), /^## PASS: yodel bench --load up:1 `tcp:/)
  for (const file of [path, summary]) rmSync(file)
  assert.equal(page.match(/class="line (first|second)"/g)!.length >= 4, true)
  const wrong: [string[], RegExp][] = [
    [['--load', 'up', '--expect', 'p50<5ms'], /no metric 'p50' of a path under load/],
    [['--load', 'sideways'], /does not say what to fill/],
    [['--load', 'up', '--expect', 'rpm>1'], /RPM is defined for https only/],
    [['--load', 'up', '--direction', 'up'], /cannot be used together/],
    [['--load', 'up', '--depth', '7'], /--depth is not for --load/],
  ]
  for (const [args, why] of wrong) {
    const { code, stderr } = await typist(['bench', paired.url, ...args])
    assert.equal(code, 2, stderr)
    assert.match(stderr, why)
  }
})
