/** Pings are under the same back-pressure as messages, and the newest one is always answered. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { bench, connect, type ServeOptions } from 'yodel'
import { dial, read, settled } from './client.ts'
import { accepted, frame, request, upgraded } from './frames.ts'
import { onlyFull, short } from './full.ts'
import { loadRefusal, refusal } from './refusal.ts'
import { portOf, start } from './ws-clients.ts'

const timeout = 60_000

/** How a server may be set: each has a way of its own with frames. */
const settings: [name: string, options: ServeOptions][] = [
  ['as it comes', {}],
  ['watched', { faults: [] }],
  ['with a delay', { faults: [{ kind: 'delay', ms: 1 }] }],
  ['with compression', { web: { deflate: true } }],
]
const onRing: [name: string, options: ServeOptions][] = refusal('uring')
  ? []
  : [['on the ring', { engine: 'uring' }]]
const hangs: ServeOptions = { faults: [{ kind: 'hang' }] }

const ping = (n: number) => frame(9, String(n).padStart(8, '0').padEnd(120, '.'))
const pingBytes = ping(0).length

// As it comes, ws.test.ts sends more every day.
const inOrder = '150 pings in one write bring 150 pongs, in order'
test(inOrder, { timeout, skip: onlyFull }, async () => {
  for (const [name, options] of [...settings, ...onRing]) {
    await using server = await start(options)
    const socket = await upgraded(portOf(server))
    socket.write(Buffer.concat(Array.from({ length: 150 }, (_, n) => ping(n))))
    const pongs = await read(socket, 150 * 122)
    for (let n = 0; n < 150; n++)
      assert.equal(Number(pongs.toString('latin1', n * 122 + 2, n * 122 + 10)), n, name)
    socket.destroy()
  }
})

/** Upgraded, with compression if the server has it. */
async function compressed(port: number): Promise<Socket> {
  const socket = await dial({ port })
  socket.write(request({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
  await once(socket, 'readable')
  assert.match(String(socket.read()), /^HTTP\/1\.1 101 [^]*\r\n\r\n$/)
  return socket
}

const perChunk = 500
/** So many pings, which say the number of their chunk. */
function chunkOf(number: number): Buffer {
  const one = ping(number)
  return Buffer.alloc(perChunk * one.length, one)
}

/** Pushes pings and reads nothing, until nothing more is taken; how many chunks went. */
async function pushPings(socket: Socket, most: number): Promise<number> {
  socket.on('error', () => {}).pause()
  let sent = 0
  const push = () => {
    while (sent < most && socket.write(chunkOf(sent++)));
  }
  socket.on('drain', push)
  push()
  await settled(() => socket.bytesWritten - socket.writableLength)
  socket.off('drain', push)
  return sent
}

/** Far above what the buffers of the system hold for both directions. */
const most = Math.ceil((48 * 2 ** 20) / (perChunk * pingBytes))

test('a client that pushes pings and reads nothing is not read from', { timeout }, async t => {
  const all = [...settings, ['that hangs', hangs] as const]
  for (const [name, options] of [...short(all, all.slice(0, 1)), ...onRing]) {
    await using server = await start(options)
    const socket = await compressed(portOf(server))
    const sent = await pushPings(socket, most)
    t.diagnostic(`${name}: ${((sent * perChunk * pingBytes) / 2 ** 20).toFixed(1)} MiB taken`)
    assert.ok(sent < most, `${name}: all pings were taken`)
    if (options === hangs) {
      socket.destroy()
      continue
    }
    // Once it reads, the pongs come, and the newest of all among them.
    let tail = Buffer.alloc(0)
    const newest = String(sent - 1).padStart(8, '0')
    for await (const chunk of socket) {
      tail = Buffer.concat([tail, chunk as Buffer]).subarray(-200)
      if (tail.includes(newest)) break
    }
    assert.ok(tail.includes(newest), name)
    socket.destroy()
  }
})

/** Begins a client of a server at this port; resolves when it is upgraded. */
type Begin = (port: number) => Promise<AsyncDisposable>

const begins: [name: string, begin: Begin, skip: string | boolean][] = [
  ['connect', port => connect(`ws://127.0.0.1:${port}`), onlyFull],
  ['a load on the ring', beginLoad, loadRefusal('uring')],
]

async function beginLoad(port: number): Promise<AsyncDisposable> {
  const options = { engine: 'uring', threads: 1, connections: 1, warmupMs: 0 } as const
  const run = bench(`ws://127.0.0.1:${port}`, { ...options, durationMs: Infinity, drainMs: 0 })
  await run.ready
  return {
    async [Symbol.asyncDispose]() {
      run.stop('now')
      await run.finished
    },
  }
}

const ours = 'our client answers the newest ping of a server that reads nothing, and not all'
for (const [name, begin, skip] of begins)
  test(`${ours}: ${name}`, { timeout, skip }, async t => {
    const listener = createServer()
    await once(listener.listen(0, '127.0.0.1'), 'listening')
    const begun = begin((listener.address() as { port: number }).port)
    const [socket] = (await once(listener, 'connection')) as [Socket]
    await once(socket, 'readable')
    const [, key] = /Sec-WebSocket-Key: (.*)\r\n/i.exec(String(socket.read()))!
    socket.write(accepted(key!))
    await using client = await begun
    const many = 60_000
    // As a server sends them.
    const one = Buffer.concat([Buffer.of(0x89, 120), Buffer.alloc(120, '.')])
    const pings = Buffer.alloc(many * one.length, one)
    for (let n = 0; n < many; n++) pings.write(String(n).padStart(8, '0'), n * one.length + 2)
    socket.write(pings)
    await settled(() => socket.bytesWritten - socket.writableLength)
    const pongs = await pongsUntil(socket, many - 1)
    t.diagnostic(`${pongs} pongs for ${many} pings`)
    assert.ok(pongs < many, 'all of them waited in the client')
    socket.destroy()
    listener.close()
    void client
  })

/** Reads until the pong with this number has come; how many came. */
async function pongsUntil(socket: Socket, number: number): Promise<number> {
  const newest = String(number).padStart(8, '0')
  let [rest, pongs] = [Buffer.alloc(0), 0]
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, chunk as Buffer])
    for (;;) {
      const length = rest.length < 2 ? Infinity : 6 + (rest[1]! & 0x7f)
      if (rest.length < length) break
      const frame = rest.subarray(0, length)
      rest = rest.subarray(length)
      // The message of a load is none.
      if (frame[0] !== 0x8a) continue
      pongs++
      if (unmasked(frame).toString('latin1').startsWith(newest)) return pongs
    }
  }
  throw new Error(`the newest pong did not come, but ${pongs} others`)
}

/** The payload of a short frame that is masked. */
function unmasked(frame: Buffer): Buffer {
  const mask = frame.subarray(2, 6)
  return frame.subarray(6).map((byte, n) => byte ^ mask[n & 3]!) as Buffer
}
