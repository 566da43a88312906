/** Sockets that are read with the stamps of the kernel, and loads over them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createServer as createHttp,
  type RequestListener,
  type Server as HttpServer,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { connect as secure, createServer as createTls } from 'node:tls'
import { WebSocketServer } from 'ws'
import { prepareBench, type BenchOptions } from '../../../bench.ts'
import { tasksOf } from '../../../bench/tasks.ts'
import { counter, Meter } from '../../../metrics/meter.ts'
import { toAddress, toOwnAddress } from '../../../vocabulary/address.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { createCertificate } from '../../../wire/tls/certificate.ts'
import { libcOf64Bits } from '../../os/libc.ts'
import { node } from '../index.ts'
import { Stamps } from './stamps.ts'

const libc = libcOf64Bits()
const skip = libc ? false : 'it needs Linux and FFI'

/** For so long this thread does nothing: what has come meanwhile is read later. */
const heldMs = 20
const held = new Int32Array(new SharedArrayBuffer(4))
const hold = () => Atomics.wait(held, 0, 0, heldMs)
/** The first few may come before the kernel has turned its stamps on. */
const tries = 10

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Both ends of a connection; the client's is stamped, and nothing reads from it yet. */
async function connected(transport: 'tcp' | 'tls') {
  const isSecure = transport === 'tls'
  const server = isSecure ? createTls(identity) : createServer({ allowHalfOpen: true })
  const port = await listening(server)
  const events = ['connection', isSecure ? 'secureConnection' : 'connection']
  const accepted = Promise.all(events.map(event => once(server, event)))
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  const stamps = new Stamps(libc!)
  const secured = isSecure ? secure({ socket, rejectUnauthorized: false }) : undefined
  if (secured) await once(secured, 'secureConnect')
  const [below, peer] = (await accepted).flat() as [Socket, Socket]
  peer.allowHalfOpen = true
  if (secured) stamps.watchBelow(secured, socket)
  else stamps.watch(socket)
  const client = secured ?? socket
  assert.ok(stamps.complete)
  peer.on('error', () => {})
  const close = async () => {
    client.destroy()
    peer.destroy()
    server.close()
    await once(server, 'close')
  }
  return { client, peer, below, stamps, [Symbol.asyncDispose]: close }
}

const identity = createCertificate(['127.0.0.1'])

/** All that comes until the end, or until an error. */
async function all(client: Socket): Promise<{ bytes: Buffer; code: string | undefined }> {
  const chunks: Buffer[] = []
  let code: string | undefined
  client.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>(resolve => {
    client.once('end', resolve)
    client.once('error', (error: NodeJS.ErrnoException) => {
      code = error.code
      resolve()
    })
  })
  return { bytes: Buffer.concat(chunks), code }
}

for (const transport of ['tcp', 'tls'] as const)
  describe(`a socket that is stamped, ${transport}`, { skip }, () => {
    test('tells when the kernel had a byte, however late the thread reads it', async () => {
      await using both = await connected(transport)
      const { client, peer, stamps } = both
      const cameNs: number[] = []
      client.on('data', () => cameNs.push(stamps.cameNs!))
      for (let n = 0; n < tries; n++) {
        const came = once(client, 'data')
        const beforeNs = nowNs()
        peer.write('x')
        hold()
        const heldUntilNs = nowNs()
        await came
        assert.ok(cameNs.at(-1)! > beforeNs - 5e6, 'not before it was sent')
        if (cameNs.at(-1)! < heldUntilNs - 5e6) return
      }
      assert.fail(`none of ${tries} was stamped`)
    })

    test('passes on each byte, and the end', async () => {
      await using both = await connected(transport)
      const { client, peer } = both
      const sent = Buffer.concat([Buffer.from('x'), Buffer.alloc(3e6, 'abcdefg'), Buffer.from('y')])
      const came = all(client)
      peer.write(sent.subarray(0, 1))
      await once(client, 'data')
      peer.end(sent.subarray(1))
      const { bytes, code } = await came
      assert.equal(code, undefined)
      assert.ok(bytes.equals(sent), `${bytes.length} of ${sent.length}`)
      // The other direction is still open.
      const answer = once(peer, 'data')
      const closed = Promise.all([once(client, 'close'), once(peer, 'close')])
      client.end('z')
      assert.equal(String(await answer), 'z')
      await closed
    })
  })

for (const transport of ['tcp', 'tls'] as const)
  describe(`a socket that is stamped, ${transport}, its peer gone or silent`, { skip }, () => {
    test('sends what the system cannot take at once', async () => {
      await using both = await connected(transport)
      const { client, peer } = both
      const piece = Buffer.alloc(1e6, 'abcdefg')
      const [piecesMax, turns] = [64, 50]
      let [given, taken] = [0, 0]
      const isTaken = () => taken === given
      do {
        given++
        client.write(piece, () => taken++)
        for (let n = 0; n < turns && !isTaken(); n++) await nextTurn()
      } while (isTaken() && given < piecesMax)
      assert.ok(taken < given, `${taken} of ${given}`)
      const came = all(client)
      client.end()
      peer.pipe(peer)
      const { bytes, code } = await came
      assert.deepEqual([bytes.length, code, taken], [given * piece.length, undefined, given])
      for (let n = 0; n < given; n++) assert.equal(piece.compare(bytes, n * 1e6, (n + 1) * 1e6), 0)
    })

    test('passes on what came before a reset, and then the reset', async () => {
      await using both = await connected(transport)
      const { client, peer, below } = both
      const came = all(client)
      peer.write('abc', () => below.resetAndDestroy())
      const { bytes, code } = await came
      assert.deepEqual([String(bytes), code], ['abc', 'ECONNRESET'])
      if (!client.closed) await once(client, 'close')
    })

    test('is not read while it is paused, and may be destroyed by what is read', async () => {
      await using both = await connected(transport)
      const { client, peer } = both
      const sent = Buffer.alloc(8e6, 'x')
      client.pause()
      peer.write(sent)
      while (client.readableLength === 0) await nextTurn()
      for (let n = 0; n < 100; n++) await nextTurn()
      assert.ok(client.readableLength < 1e6, `${client.readableLength}`)
      let bytes = 0
      client.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes === sent.length) client.destroy()
      })
      client.resume()
      await once(client, 'close')
      assert.equal(bytes, sent.length)
    })
  })

/** Servers in this thread: it is held when an answer has left, so the answer is read after that. */
const onSocket = (socket: Socket) =>
  socket.on('data', data => {
    socket.write(data)
    hold()
  })

function messages(http: HttpServer): Server {
  new WebSocketServer({ server: http }).on('connection', socket =>
    socket.on('message', (data, binary) => {
      socket.send(data as Buffer, { binary })
      hold()
    }),
  )
  return http
}

const onRequest: RequestListener = (request, response) => {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    response.end(Buffer.concat(pieces))
    hold()
  })
}

const servers: Record<string, () => Server> = {
  tcp: () => createServer(onSocket),
  tls: () => createTls(identity, onSocket),
  ws: () => messages(createHttp()),
  wss: () => messages(createHttps(identity)),
  http: () => createHttp(onRequest),
  https: () => createHttps(identity, onRequest),
}

const loops = { open: { ratePerSecond: 1_000 }, closed: {} }

describe('a load of the node engine', { skip }, () => {
  for (const [loop, pace] of Object.entries(loops))
    for (const [transport, start] of Object.entries(servers))
      test(`${loop} loop over ${transport}: the kernel tells the time of replies`, async () => {
        const server = start()
        const url = `${transport}://127.0.0.1:${await listening(server)}`
        const [count, engine] = [tries, 'node'] as const
        const calling = { tls: { insecure: true } }
        const load = { engine, count, ...pace, connections: 1, warmupMs: 0 } as const
        const options = transports[toAddress(url).transport].secure ? { ...load, calling } : load
        const { tasks } = tasksOf(prepareBench(url, options), toOwnAddress(url))
        const meter = new Meter()
        const session = await node.open(tasks[0], meter)
        await session.run(nowNs())
        server.close()
        assert.equal(meter.counters[counter.messagesReceived], count)
        // In a closed loop both are one.
        const { service, response } = meter.histograms
        const times = loop === 'open' ? service : response
        assert.equal(times.count, count)
        const [leastNs] = times.quantiles([0])
        assert.ok(leastNs! < heldMs * 1e6, `${leastNs} ns at least`)
      })

  test('in a closed loop goes without stamps where they would cost much', () => {
    const [address, light] = ['tcp://127.0.0.1:1', { connections: 16, depth: 4, sizeBytes: 4_096 }]
    const isStamped = (change: BenchOptions) => {
      const load = prepareBench(address, { ...light, engine: 'node', ...change })
      return Stamps.of(tasksOf(load, toOwnAddress(address)).tasks[0]) !== undefined
    }
    const heavy: BenchOptions[] = [{ connections: 17 }, { depth: 5 }, { sizeBytes: 4_097 }]
    assert.deepEqual([{}, ...heavy].map(isStamped), [true, false, false, false])
    const open = heavy.map(load => isStamped({ ...load, ratePerSecond: 100 }))
    assert.deepEqual(open, [true, true, true])
    const twoThreads = { connections: 32, threads: 2 }
    assert.ok(isStamped(twoThreads), 'what counts is what each thread has in flight')
  })
})
