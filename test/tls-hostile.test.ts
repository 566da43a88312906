/** What hostile clients send to a TLS server: it goes on, and forgets them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { serve, type Server } from 'yodel'
import { clientHello } from '../benchmarks/misuse.ts'
import { dial, dialTls, echo, ending, pattern, until } from './client.ts'
import { holdsBack, type Start } from './clients.suite.ts'
import { onlyFull, short } from './full.ts'
import { portOf } from './program.ts'
import { refusal } from './refusal.ts'

const hello = await clientHello

/** A hang is a failure. */
const timeout = 60_000

for (const engine of ['node', 'uring'] as const)
  describe(
    `hostile clients of ${engine}`,
    { timeout, skip: refusal(engine) || (engine === 'node' && onlyFull) },
    () => {
      const start: Start = options => serve('tls://127.0.0.1:0', { engine, ...options })
      let server: Server
      before(async () => void (server = await start()))
      after(() => server.close('now'))
      const started = () => server
      damaged(started)
      nonsense(started)
      manyAtOnce(started)
      renegotiation(engine, started)
      // The suite of the engines has it, too, in the full form.
      if (engine === 'uring') holdsBack(start, dialTls)
    },
  )

/** It serves a new client as ever, and no other is left. */
async function goesOn(server: Server): Promise<void> {
  const socket = await dialTls(server.address)
  assert.equal(await echo(socket, 'still there'), 'still there')
  socket.end()
  await ending(socket)
  await until(() => server.counts().open === 0)
}

type Damage = (bytes: Buffer, sofar: number) => Buffer[]

/** A client, and what happens to its bytes on the way to the server. */
async function through(server: Server, damage: Damage): Promise<void> {
  const middle = createServer(inner => {
    const outer = connectSocket(portOf(server.url), '127.0.0.1')
    let sofar = 0
    inner.on('data', (bytes: Buffer) => {
      for (const piece of damage(bytes, sofar)) outer.write(piece)
      sofar += bytes.length
    })
    inner.on('end', () => outer.end()).on('error', () => outer.destroy())
    outer.on('error', () => {}).on('close', () => inner.destroy())
    outer.pipe(inner)
  })
  await once(middle.listen(0, '127.0.0.1'), 'listening')
  const client = dialTls({ port: (middle.address() as AddressInfo).port })
  await client.then(
    async socket => {
      socket.end(pattern(20_000, 3))
      await ending(socket)
    },
    () => {},
  )
  middle.close()
}

function damaged(started: () => Server) {
  test(
    'records that were changed, doubled, cut or put in another order',
    { skip: onlyFull },
    async () => {
      const server = started()
      const place = fc.nat(24_000)
      const damage = fc.oneof(
        fc.tuple(fc.constant('change' as const), place),
        fc.tuple(fc.constant('double' as const), place),
        fc.tuple(fc.constant('cut' as const), place),
        fc.tuple(fc.constant('turn' as const), place),
      )
      const damages: Record<
        'change' | 'double' | 'cut' | 'turn',
        (b: Buffer, n: number) => Buffer[]
      > = {
        change: (bytes, n) => [Buffer.from(bytes.map((byte, at) => (at === n ? byte ^ 1 : byte)))],
        double: (bytes, n) => [bytes.subarray(0, n), bytes.subarray(0, n), bytes.subarray(n)],
        cut: (bytes, n) => [bytes.subarray(0, n)],
        turn: (bytes, n) => [bytes.subarray(n), bytes.subarray(0, n)],
      }
      // At once: of a handshake that is cut the server waits 10 s for the rest.
      const bad = fc.sample(damage, short(60, 6)).map(([how, at]) =>
        through(server, (bytes, sofar) => {
          const isHere = at >= sofar && at < sofar + bytes.length
          return isHere ? damages[how](bytes, at - sofar) : [bytes]
        }),
      )
      await Promise.all(bad)
      await goesOn(server)
    },
  )
}

function nonsense(started: () => Server) {
  test('what is no TLS, or not for long', async () => {
    const server = started()
    const { handshakesFailed } = server.snapshot()
    const record = (type: number, length: number, body: Uint8Array = Buffer.alloc(0)) =>
      Buffer.concat([Buffer.of(type, 3, 1, length >> 8, length & 255), body])
    const said = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      // SSL 2, an endless record, many empty ones, alerts before there is anything.
      Buffer.from('802e0100020015000000100100800200800300800400', 'hex'),
      record(22, 0xffff, pattern(70_000, 1)),
      Buffer.concat(Array.from({ length: 100 }, () => record(22, 0))),
      Buffer.concat(Array.from({ length: 100 }, () => record(21, 2, Buffer.of(1, 0)))),
      record(23, 30, pattern(30, 2)),
      Buffer.concat([hello, hello, hello]),
      Buffer.concat([hello, Buffer.from('and then this')]),
      hello.subarray(0, hello.length - 1),
    ]
    for (const bytes of said) {
      const socket = await dial(server.address)
      socket.on('error', () => {}).end(bytes)
      await ending(socket)
    }
    await goesOn(server)
    assert.equal(server.snapshot().handshakesFailed - handshakesFailed, said.length)
  })
}

function manyAtOnce(started: () => Server) {
  const count = short(1_000, 60)
  test(`${count} hellos at once, and none stays for the answer`, async () => {
    const server = started()
    const gone = async (_: unknown, n: number): Promise<void> => {
      const socket: Socket = await dial(server.address)
      const closed = once(
        socket.on('error', () => {}),
        'close',
      )
      socket.write(n % 3 === 0 ? hello.subarray(0, n % hello.length) : hello)
      if (n % 2 === 0) socket.resetAndDestroy()
      else socket.destroy()
      await closed
    }
    await Promise.all(Array.from({ length: count }, gone))
    await goesOn(server)
  })
}

function renegotiation(engine: string, started: () => Server) {
  const skip = engine === 'node' && 'Node allows a few, which its own tests show'
  test('renegotiation (TLS 1.2) is refused', { skip }, async () => {
    const server = started()
    const socket = await dialTls(server.address, { maxVersion: 'TLSv1.2' })
    assert.equal(await echo(socket, 'before'), 'before')
    const renegotiated = new Promise<boolean>(resolve => {
      socket.on('error', () => resolve(false)).once('close', () => resolve(false))
      socket.renegotiate({}, error => resolve(!error))
    })
    socket.resume()
    assert.equal(await renegotiated, false)
    socket.destroy()
    await goesOn(server)
  })
}
