/** Sockets that are read with the stamps of the kernel, and loads over them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { prepareBench } from '../../../bench.ts'
import { tasksOf } from '../../../bench/tasks.ts'
import { counter, Meter } from '../../../metrics/meter.ts'
import { toOwnAddress } from '../../../vocabulary/address.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
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
async function connected() {
  const server = createServer({ allowHalfOpen: true })
  const port = await listening(server)
  const accepted = once(server, 'connection')
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [[peer]] = (await Promise.all([accepted, once(client, 'connect')])) as [[Socket], unknown]
  const stamps = new Stamps(libc!)
  stamps.watch(client)
  assert.ok(stamps.complete)
  peer.on('error', () => {})
  const close = async () => {
    client.destroy()
    peer.destroy()
    server.close()
    await once(server, 'close')
  }
  return { client, peer, stamps, [Symbol.asyncDispose]: close }
}

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

describe('a socket that is stamped', { skip }, () => {
  test('tells when the kernel had a byte, however late the thread reads it', async () => {
    await using both = await connected()
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
    await using both = await connected()
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

  test('passes on what came before a reset, and then the reset', async () => {
    await using both = await connected()
    const { client, peer } = both
    const came = all(client)
    peer.write('abc')
    peer.resetAndDestroy()
    const { bytes, code } = await came
    assert.deepEqual([String(bytes), code], ['abc', 'ECONNRESET'])
    if (!client.closed) await once(client, 'close')
  })

  test('is not read while it is paused, and may be destroyed by what is read', async () => {
    await using both = await connected()
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
const servers: Record<'tcp' | 'ws' | 'http', () => Server> = {
  tcp: () =>
    createServer(socket =>
      socket.on('data', data => {
        socket.write(data)
        hold()
      }),
    ),
  ws() {
    const http = createHttp()
    new WebSocketServer({ server: http }).on('connection', socket =>
      socket.on('message', (data, binary) => {
        socket.send(data as Buffer, { binary })
        hold()
      }),
    )
    return http
  },
  http: () =>
    createHttp((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        response.end(Buffer.concat(pieces))
        hold()
      })
    }),
}

describe('an open loop of the node engine', { skip }, () => {
  for (const [transport, start] of Object.entries(servers))
    test(`over ${transport} the time of a reply is that of the kernel`, async () => {
      const server = start()
      const url = `${transport}://127.0.0.1:${await listening(server)}`
      const [count, engine] = [tries, 'node'] as const
      const options = { engine, count, ratePerSecond: 1_000, connections: 1, warmupMs: 0 } as const
      const { tasks } = tasksOf(prepareBench(url, options), toOwnAddress(url))
      const meter = new Meter()
      const session = await node.open(tasks[0], meter)
      await session.run(nowNs())
      server.close()
      assert.equal(meter.counters[counter.messagesReceived], count)
      const { service } = meter.histograms
      assert.equal(service.count, count)
      const [leastNs] = service.quantiles([0])
      assert.ok(leastNs! < heldMs * 1e6, `${leastNs} ns at least`)
    })
})
