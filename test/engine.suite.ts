/** What every engine promises, over real sockets. A refusal is a visible skip with its reason. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { serve, type Server } from 'yodel'
import type * as Names from '../src/vocabulary/engine-names.ts'
import { dial, dialTls, echo, pattern, readAll, until } from './client.ts'
import { balanced, holdsBack, leaves, takesTurns } from './clients.suite.ts'
import type { Dial, Start } from './clients.suite.ts'
import { onlyFull, short } from './full.ts'
import { built } from './program.ts'
import { refusal } from './refusal.ts'

type EngineName = Server['engine']
const { engineSpeaks } = (await import(built('vocabulary/engine-names.js'))) as typeof Names

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
export function engineSuite(engine: EngineName, many = 100): void {
  const skip = refusal(engine)
  for (const [name, place] of Object.entries(places)) {
    const noTls = name === 'TLS' && !engineSpeaks(engine, 'tls') && `${engine} has no TLS`
    // A unix socket and TLS have more tests, below and in files of their own.
    const likeIPv4 = name !== 'IPv4' && onlyFull
    const skipHere = skip || noTls || likeIPv4
    const call = name === 'TLS' ? dialTls : dial
    const start: Start = options => serve(place(), { engine, ...options })
    describe(`${engine} over ${name}`, { skip: skipHere, timeout }, () => {
      connections(start, call)
      if (name !== 'TLS') return
      holdsBack(start, call, onlyFull)
      // Handshakes cost more than all the rest.
      leaves(start, short(Math.min(10, many), 3), call, onlyFull)
    })
  }
  describe(`${engine} and its clients`, { skip, timeout }, () => {
    const start: Start = options => serve(places.IPv4!(), { engine, ...options })
    // Rare cases run every day on one engine only, the one that auto prefers.
    const edges = engine !== 'uring' && onlyFull
    takesTurns(start, edges)
    holdsBack(start, dial, edges)
    leaves(start, short(many, Math.min(3, many)), dial, edges)
  })
  test(
    `${engine} removes its unix socket, whose path has as many bytes as may be`,
    { skip: skip || (engine === 'blocking' && onlyFull) },
    async () => {
      const deep = join(folder, 'd'.repeat(107 - 2 - folder.length - 1))
      mkdirSync(deep, { recursive: true })
      const paths = [join(deep, 'e'), join(folder, 'e'.repeat(107 - folder.length - 1))]
      // All engines name their sockets in the same way.
      for (const path of short(paths, engine === 'node' ? paths.slice(0, 1) : paths.slice(1))) {
        assert.equal(Buffer.byteLength(path), 107)
        const server = await serve(`unix:${path}`, { engine })
        const socket = await dial({ path })
        assert.equal(await echo(socket, 'hello'), 'hello')
        socket.destroy()
        await server.close()
        assert.ok(!existsSync(path))
        assert.equal(
          readdirSync(dirname(path)).some(name => /[~-]/.test(name)),
          false,
        )
      }
    },
  )
}

/**
 * Most tests share a server, since to start one costs more than they do; the last of them closes
 * it.
 */
function connections(start: Start, dial: Dial) {
  let server: Server
  before(async () => void (server = await start()))
  after(() => server.close('now'))
  echoes(() => server, dial)
  ends(() => server, dial)
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
    await fc.assert(property, { numRuns: short(12, 4) })
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
    await until(() => server.counts().bytesIn > before.bytesIn)
    assert.ok((await readAll(socket)).equals(sent))
    await balanced(server, before.opened + 1)
  })
}

function ends(started: () => Server, dial: Dial) {
  test('a connection without data is answered with FIN', async () => {
    const server = started()
    const { opened } = server.snapshot()
    const socket = await dial(server.address)
    socket.end()
    assert.equal((await readAll(socket)).length, 0)
    await balanced(server, opened + 1)
  })

  test('a reset or a vanished client frees its place', async () => {
    const server = started()
    const length = short(20, 4)
    const others = await Promise.all(Array.from({ length }, () => dial(server.address)))
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
