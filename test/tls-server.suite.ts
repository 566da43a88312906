/** A TLS server: how a stream ends, which clients are admitted, and how much data it carries. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { connect, serve, type Server } from 'yodel'
import { clientHello } from '../benchmarks/misuse.ts'
import { createCertificate, pem } from './certificates.ts'
import { dial, dialTls, echo, ending, pattern, readAll, until } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import type { Start } from './clients.suite.ts'
import { portOf } from './program.ts'
import { refusal } from './refusal.ts'

/** A relay between a client and the server: what the server sent, and a way to change it. */
async function between(server: Server) {
  const heard: Buffer[] = []
  const sockets: Socket[] = []
  const middle = createServer({ allowHalfOpen: true }, inner => {
    const outer = connectSocket({ port: portOf(server.url), allowHalfOpen: true })
    sockets.push(inner, outer)
    outer.on('data', chunk => heard.push(chunk))
    inner.pipe(outer).pipe(inner)
  })
  await once(middle.listen(0, '127.0.0.1'), 'listening')
  const stop = () => {
    for (const socket of sockets) socket.destroy()
    middle.close()
  }
  const where = { host: '127.0.0.1', port: (middle.address() as AddressInfo).port }
  return { where, heard, sockets, [Symbol.dispose]: stop }
}

/** The types of the records in a stream (RFC 5246, section 6.2.1). */
function records(stream: Buffer): number[] {
  const types: number[] = []
  for (let at = 0; at < stream.length; at += 5 + stream.readUInt16BE(at + 3))
    types.push(stream[at]!)
  return types
}

/** A hang is a failure. */
const timeout = 120_000

/** Most tests share a server. */
export function tlsServerSuite(engine: Server['engine']): void {
  const start: Start = options => serve('tls://127.0.0.1:0', { engine, ...options })
  let server: Server
  const started = () => server
  describe(`a TLS server of ${engine}`, { timeout, skip: refusal(engine) }, () => {
    before(async () => void (server = await start()))
    after(() => server.close('now'))
    howItEnds(started)
    resumes(started)
    whichAreRefused(start)
    whichAreAdmitted(start)
    howMuch(started)
  })
}

function howItEnds(started: () => Server) {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version}: after close_notify all is echoed, then close_notify`, async () => {
      using line = await between(started())
      const socket = await dialTls(line.where, { minVersion: version, maxVersion: version })
      const sent = pattern(short(2 ** 21, 2 ** 18), 4)
      socket.end(sent)
      assert.ok((await readAll(socket)).equals(sent))
      const types = records(Buffer.concat(line.heard))
      // Version 1.3 calls everything that is encrypted data; 1.2 says that it is an alert.
      assert.equal(types.at(-1), version === 'TLSv1.2' ? 21 : 23)
      assert.equal(types.filter(type => type === 21).length, version === 'TLSv1.2' ? 1 : 0)
    })
  }

  test('FIN without close_notify ends it too, after all that came before', async () => {
    using line = await between(started())
    const socket = await dialTls(line.where)
    assert.equal(await echo(socket, 'before'), 'before')
    const [inner, outer] = line.sockets
    inner!.unpipe(outer)
    outer!.end()
    assert.equal(await ending(socket), 'closed')
  })

  test('a record that was changed on the way ends it with an alert, and is counted', async () => {
    using line = await between(started())
    const socket = await dialTls(line.where)
    assert.equal(await echo(socket, 'before'), 'before')
    const server = started()
    const { closed, protocol } = server.snapshot()
    const [inner, outer] = line.sockets
    inner!.unpipe(outer).resume()
    inner!.on('data', chunk => {
      chunk[chunk.length - 1]! ^= 1
      outer!.write(chunk)
    })
    socket.write('after')
    assert.match(await ending(socket), /ALERT_BAD_RECORD_MAC/)
    await until(() => server.counts().closed > closed)
    assert.equal(server.snapshot().protocol, protocol + 1)
  })
}

function resumes(started: () => Server) {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    test(`${version}: a session is resumed by its ticket`, async () => {
      const versions = { minVersion: version, maxVersion: version }
      const first = await dialTls(started().address, versions)
      // In TLS 1.2 the ticket belongs to the handshake; in 1.3 it follows.
      const later = version === 'TLSv1.3' && once(first, 'session')
      assert.equal(await echo(first, 'first'), 'first')
      const session = later ? ((await later)[0] as Buffer) : first.getSession()!
      first.destroy()
      const second = await dialTls(started().address, { ...versions, session })
      assert.ok(second.isSessionReused())
      assert.equal(await echo(second, 'second'), 'second')
      second.destroy()
    })
}

function whichAreRefused(start: Start) {
  // Every day tls.test.ts sends some.
  const counted = 'garbage is closed and counted; a probe is not counted'
  test(counted, { skip: onlyFull }, async () => {
    await using server = await start()
    let [failed, opened] = [0, 0]
    const garbage = fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      async bytes => {
        const socket = await dial(server.address)
        socket.end(bytes)
        await ending(socket)
        failed++
        opened++
      },
    )
    await fc.assert(garbage, { numRuns: 30 })
    const looker = await dial(server.address)
    looker.end()
    await ending(looker)
    await until(() => server.counts().open === 0)
    const snapshot = server.snapshot()
    assert.equal(snapshot.handshakesFailed, failed)
    assert.equal(snapshot.opened, opened + 1)
    const socket = await dialTls(server.address)
    assert.equal(await echo(socket, 'still there'), 'still there')
    socket.end()
  })

  test('a slow client is closed in time', async t => {
    await using server = await start({ handshakeTimeoutMs: 300 })
    const hello = await clientHello
    const [slow, silent] = [await dial(server.address), await dial(server.address)]
    let at = 0
    const drip = setInterval(() => slow.write(hello.subarray(at, ++at)), 20)
    t.after(() => clearInterval(drip))
    await Promise.all([ending(slow), ending(silent)])
    assert.ok(at < hello.length)
    await until(() => server.counts().open === 0)
    const { timedOut, handshakesFailed } = server.snapshot()
    assert.deepEqual([timedOut, handshakesFailed], [2, 2])
  })

  test('a slow client keeps no other waiting', { skip: onlyFull }, async () => {
    const server = await start({ handshakeTimeoutMs: 3600_000 })
    const hello = await clientHello
    const slow = Array.from({ length: 50 }, async (_, n) => {
      const socket = await dial(server.address)
      socket.on('error', () => {}).write(hello.subarray(0, n))
      return socket
    })
    await Promise.all(slow)
    const quick = await dialTls(server.address)
    assert.equal(await echo(quick, 'quick'), 'quick')
    assert.equal(server.snapshot().open, 51)
    await server.close('now')
  })

  test('a thousand silent clients keep no other waiting', { skip: onlyFull }, async () => {
    const server = await start({ handshakeTimeoutMs: 3600_000 })
    await Promise.all(Array.from({ length: 1_001 }, () => dial(server.address)))
    const talker = await dialTls(server.address)
    assert.equal(await echo(talker, 'talker'), 'talker')
    await server.close('now')
  })
}

function whichAreAdmitted(start: Start) {
  test('with a client CA only its clients', async () => {
    const clientCa = pem('ca.pem')
    await using server = await start({ tls: { clientCa } })
    const own = { cert: pem('client.pem'), key: pem('client.key') }
    const friend = await connect(server.url, {
      calling: { tls: { pin: server.fingerprint, ...own } },
    })
    assert.equal(Buffer.from((await friend.echo('friend')).reply).toString(), 'friend')
    await friend.close()
    // In TLS 1.3 the client is connected before the server has seen its certificate.
    const anonymous = await dialTls(server.address)
    assert.match(await ending(anonymous), /CERTIFICATE_REQUIRED/)
    const unknown = await dialTls(server.address, createCertificate(['localhost']))
    await ending(unknown)
    const [maxVersion, refusal] = ['TLSv1.2', { code: /HANDSHAKE_FAILURE/ }] as const
    await assert.rejects(dialTls(server.address, { maxVersion }), refusal)
    await until(() => server.counts().handshakesFailed === 3)
  })
}

function howMuch(started: () => Server) {
  test(`${full ? '1,000' : '10'} clients at once`, async () => {
    const clients = Array.from({ length: full ? 1_000 : 10 }, async (_, n) => {
      const socket = await dialTls(started().address)
      assert.equal(await echo(socket, `client ${n}`), `client ${n}`)
      return socket
    })
    const sockets = await Promise.all(clients)
    assert.ok(started().snapshot().open >= sockets.length)
    for (const socket of sockets) socket.end().resume()
  })

  const size = full ? 100 : 2
  test(`${size} MiB come back the same`, async () => {
    await using connection = await connect(started().url, {
      calling: { tls: { pin: started().fingerprint } },
    })
    const [out, back] = [createHash('sha256'), createHash('sha256')]
    const send = async () => {
      for (let n = 0; n < size; n++) {
        const part = pattern(2 ** 20, n)
        out.update(part)
        await connection.write(part)
      }
      connection.end()
    }
    const sent = send()
    for await (const chunk of connection) back.update(chunk)
    await sent
    assert.equal(back.digest('hex'), out.digest('hex'))
  })
}
