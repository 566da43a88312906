/** What every engine promises, over real sockets. A refusal is a visible skip with its reason. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { serve, type ServeOptions, type Server } from 'yodel'
import { dial, dialTls, echo, ending, pattern } from './client.ts'
import { read, readAll, sendUntilFin, settled, until } from './client.ts'
import { refusal } from './refusal.ts'

type EngineName = Server['engine']

/** A hang is a failure. */
const timeout = 60_000

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
let sockets = 0
const places: Record<string, () => string> = {
  IPv4: () => 'tcp://127.0.0.1:0',
  IPv6: () => 'tcp://[::1]:0',
  unix: () => `unix:${join(folder, `${sockets++}`)}`,
  TLS: () => 'tls://127.0.0.1:0',
}

/** @param many how many clients the engine is asked to serve at the same time */
export async function engineSuite(engine: EngineName, many = 100): Promise<void> {
  const skip = await refusal(engine)
  for (const [name, place] of Object.entries(places)) {
    const skipHere = skip || (name === 'TLS' && engine !== 'node' && `${engine} has no TLS`)
    const call = name === 'TLS' ? dialTls : dial
    const start: Start = options => serve(place(), { engine, ...options })
    describe(`${engine} over ${name}`, { skip: skipHere, timeout }, () => {
      connections(start, call)
      if (name !== 'TLS') return
      holdsBack(start, call)
      // Handshakes cost more than all the rest.
      leaves(start, Math.min(10, many), call)
    })
  }
  describe(`${engine} and its clients`, { skip, timeout }, () => {
    takesTurns(options => serve(places.IPv4!(), { engine, ...options }))
    holdsBack(options => serve(places.IPv4!(), { engine, ...options }), dial)
    leaves(options => serve(places.IPv4!(), { engine, ...options }), many, dial)
  })
  test(`${engine} removes its unix socket`, { skip }, async () => {
    const server = await serve(places.unix!(), { engine })
    const { path } = server.address as { path: string }
    assert.ok(existsSync(path))
    await server.close()
    assert.ok(!existsSync(path))
  })
}

type Start = (options?: ServeOptions) => Promise<Server>
type Dial = typeof dial

/** Most share a server, since to start one costs more than they do; the last of them closes it. */
function connections(start: Start, dial: Dial) {
  let server: Server
  before(async () => void (server = await start()))
  after(() => server.close('now'))
  echoes(() => server, dial)
  ends(() => server, start, dial)
}

function echoes(started: () => Server, dial: Dial) {
  test('any chunks over several connections come back identical', async () => {
    const server = started()
    let connected = 0
    const chunk = fc.oneof(
      { weight: 5, arbitrary: fc.nat(3000) },
      { weight: 1, arbitrary: fc.nat(2 ** 20) },
    )
    const connections = fc.array(fc.array(chunk, { maxLength: 8 }), { minLength: 1, maxLength: 4 })
    const property = fc.asyncProperty(connections, async plans => {
      await Promise.all(
        plans.map(async (sizes, index) => {
          const socket = await dial(server.address)
          connected++
          const chunks = sizes.map((size, n) => pattern(size, index * 31 + n))
          const back = readAll(socket)
          for (const chunk of chunks) socket.write(chunk)
          socket.end()
          assert.ok((await back).equals(Buffer.concat(chunks)))
        }),
      )
    })
    await fc.assert(property, { numRuns: 12 })
    await balanced(server, connected)
  })

  test('single bytes, one write each', async () => {
    const server = started()
    const before = server.snapshot()
    const socket = await dial(server.address)
    const sent = pattern(500, 1)
    for (const byte of sent) socket.write(Buffer.of(byte))
    socket.end()
    assert.ok((await readAll(socket)).equals(sent))
    await balanced(server, before.opened + 1)
    const { bytesIn, bytesOut } = server.snapshot()
    assert.deepEqual([bytesIn - before.bytesIn, bytesOut - before.bytesOut], [500, 500])
  })

  test('a client that reads late gets every byte, after its own FIN', async () => {
    const server = started()
    const before = server.snapshot()
    const socket = await dial(server.address)
    const sent = pattern(3 * 2 ** 20, 2)
    socket.end(sent)
    await until(() => server.snapshot().bytesIn > before.bytesIn)
    assert.ok((await readAll(socket)).equals(sent))
    await balanced(server, before.opened + 1)
  })
}

function ends(started: () => Server, start: Start, dial: Dial) {
  test('a connection without data is answered with FIN', async () => {
    const server = started()
    const { opened } = server.snapshot()
    const socket = await dial(server.address)
    socket.end()
    assert.equal((await readAll(socket)).length, 0)
    await balanced(server, opened + 1)
  })

  test('a reset or a vanished client frees its place', async () => {
    await using server = await start()
    const others = await Promise.all(Array.from({ length: 20 }, () => dial(server.address)))
    for (const [index, socket] of others.entries()) {
      socket.on('error', () => {}).write(pattern(200_000, index))
      // A unix socket has no RST; closing it with unread data says the same.
      if (index % 2 === 0 && server.address.transport === 'tcp') socket.resetAndDestroy()
      else socket.destroy()
    }
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'still there'), 'still there')
    socket.end()
    await balanced(server)
  })

  test('close() says FIN after the echo, and waits for the client', async () => {
    const server = started()
    const { opened } = server.snapshot()
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'hello'), 'hello')
    const closed = server.close()
    assert.equal((await readAll(socket)).length, 0)
    assert.equal(server.snapshot().open, 1)
    socket.end()
    await closed
    await balanced(server, opened + 1)
  })
}

function takesTurns(start: Start) {
  for (const concurrency of [1, 3]) {
    test(`concurrency ${concurrency}: the others wait, and are served in order`, async () => {
      await using server = await start({ concurrency })
      const order: number[] = []
      const clients = []
      for (let n = 0; n < concurrency + 4; n++) {
        const socket = await dial(server.address)
        socket.write(`client ${n}`)
        clients.push(socket)
      }
      const served = clients.map(async (socket, n) => {
        assert.equal((await read(socket, 8)).toString(), `client ${n}`)
        order.push(n)
      })
      await Promise.all(served.slice(0, concurrency))
      assert.equal(await echo(clients[0]!, 'again'), 'again')
      assert.equal(order.length, concurrency)
      for (const [n, socket] of clients.entries()) {
        await served[n]
        socket.end()
        await readAll(socket)
        await served[n + concurrency]
      }
      if (concurrency === 1)
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
        )
      await balanced(server)
    })
  }

  test('a client that waits may give up', async () => {
    await using server = await start({ concurrency: 1 })
    const [first, second, third] = [
      await dial(server.address),
      await dial(server.address),
      await dial(server.address),
    ]
    assert.equal(await echo(first, 'one'), 'one')
    second.resetAndDestroy()
    third.write('three')
    first.end()
    assert.equal((await read(third, 5)).toString(), 'three')
    third.end()
    await balanced(server)
  })
}

function holdsBack(start: Start, dial: Dial) {
  test('whoever never reads is not read from either, and slows nobody', async () => {
    await using server = await start()
    const greedy = await dial(server.address)
    greedy.pause()
    const chunk = pattern(2 ** 20, 3)
    const send = () => {
      while (greedy.writable && greedy.write(chunk));
    }
    greedy.on('drain', send).on('error', () => {})
    send()
    const before = await settled(() => server.snapshot().bytesIn)
    const socket = await dial(server.address)
    for (let n = 0; n < 100; n++) assert.equal(await echo(socket, `message ${n}`), `message ${n}`)
    const after = await settled(() => server.snapshot().bytesIn)
    assert.equal(after - before, 100 * 9 + 90)
    greedy.destroy()
    socket.end()
    await balanced(server)
  })
}

function leaves(start: Start, many: number, dial: Dial) {
  test('what is idle is closed, what is active is not', async () => {
    await using server = await start({ idleTimeoutMs: 400 })
    const [idle, active] = [await dial(server.address), await dial(server.address)]
    const beats = setInterval(() => active.write('beat'), 50)
    active.resume()
    assert.equal(await ending(idle), 'closed')
    clearInterval(beats)
    await until(() => server.snapshot().open < 2)
    const { idleClosed, open } = server.snapshot()
    active.end()
    assert.deepEqual([idleClosed, open], [1, 1])
    await balanced(server)
  })

  test('one-off: the first client is served, then it leaves', async () => {
    const server = await start({ oneOff: true })
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'only'), 'only')
    socket.end()
    await server.closed
    await assert.rejects(dial(server.address))
  })

  test(`close() with ${many} senders: all that was received comes back, then FIN`, async () => {
    const server = await start({ drainMs: 10_000, concurrency: many })
    const senders = Array.from({ length: many }, async () =>
      sendUntilFin(await dial(server.address)),
    )
    await until(() => server.snapshot().open === many && server.snapshot().bytesOut > 1e6)
    const closed = server.close()
    const returned = await Promise.all(senders)
    await closed
    const { bytesIn, bytesOut, open } = server.snapshot()
    const sum = returned.reduce((total, bytes) => total + bytes, 0)
    assert.deepEqual([sum, bytesOut, open], [bytesIn, bytesIn, 0])
  })

  test('close("now") does not wait', async () => {
    const server = await start()
    const socket = await dial(server.address)
    const gone = ending(socket)
    await server.close('now')
    await gone
    assert.equal(server.snapshot().open, 0)
  })

  test('a bound on patience: who does not hang up is closed after drainMs', async () => {
    const server = await start({ drainMs: 300 })
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'stay'), 'stay')
    await server.close()
    assert.equal(server.snapshot().open, 0)
    socket.destroy()
  })
}

/** So many at least were opened, and all of them are closed. */
async function balanced(server: Server, atLeast = 1): Promise<void> {
  await until(() => {
    const { opened, open, waiting } = server.snapshot()
    return opened >= atLeast && open === 0 && waiting === 0
  })
}
