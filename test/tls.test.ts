/** TLS as a client sees it: which servers it trusts, and what it reports. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import * as tls from 'node:tls'
import { bench, connect, serve, UserError, type Connection, type Server } from 'yodel'
import { createCertificate, pem } from './certificates.ts'
import { dial, ending } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import { portOf, yodel, yodelServe } from './program.ts'

type TlsCalling = NonNullable<NonNullable<Parameters<typeof connect>[1]>['calling']>['tls']

let server: Server
before(async () => void (server = await serve('tls://127.0.0.1:0')))
after(() => server.close('now'))

/** One of ours, to this server or another one. */
const call = (calling: TlsCalling, url = server.url): Promise<Connection> =>
  connect(url, { calling: { tls: calling }, timeoutMs: 5_000 })

/** The one line with which it is refused. */
const refusalOf = (calling: TlsCalling, url?: string): Promise<string> =>
  call(calling, url).then(
    () => assert.fail('it was accepted'),
    (error: unknown) => {
      assert.ok(error instanceof UserError, String(error))
      return `${error.message} ${error.hint}`
    },
  )

/** A server of node:tls that echoes, and then ends. */
async function listening(options: tls.TlsOptions) {
  const peer = tls.createServer(options, socket => socket.on('error', () => {}).pipe(socket))
  peer.on('tlsClientError', () => {}).listen(0, '127.0.0.1')
  await once(peer, 'listening')
  const url = `tls://127.0.0.1:${(peer.address() as AddressInfo).port}`
  return { url, [Symbol.dispose]: () => void peer.close() }
}

describe('which servers a client trusts', () => {
  test('a pin, however it is written, and no other server', async () => {
    const { fingerprint } = server
    assert.match(fingerprint!, /^[0-9a-f]{64}$/)
    const colons = fingerprint!.toUpperCase().replaceAll(/..(?=.)/g, '$&:')
    for (const pin of [fingerprint!, colons]) {
      await using connection = await call({ pin })
      const { reply } = await connection.echo('pinned')
      assert.equal(Buffer.from(reply).toString(), 'pinned')
    }
    const refusal = await refusalOf({ pin: '00'.repeat(32), insecure: true })
    assert.match(refusal, new RegExp(`the fingerprint ${fingerprint} \\(PIN_MISMATCH\\)`))
    assert.match(await refusalOf({}), /self-signed.*--pin/)
    await (await call({ insecure: true })).close()
  })

  test('an authority, if the name is right too', async () => {
    using peer = await listening({ cert: pem('server.pem'), key: pem('server.key') })
    const ca = pem('ca.pem')
    await (await call({ ca }, peer.url)).close()
    const byName = peer.url.replace('127.0.0.1', 'localhost')
    await (await call({ ca, serverName: '127.0.0.1' }, byName)).close()
    assert.match(await refusalOf({}, peer.url), /authority is not known here.*--ca/)
    const other = await refusalOf({ ca, serverName: 'other.example' }, peer.url)
    assert.match(
      other,
      /its certificate is for DNS:localhost, IP Address:127\.0\.0\.1 .*--server-na/,
    )
    if (!full) return
    const old = createCertificate(['127.0.0.1'], Date.now() - 400 * 86_400e3)
    using expired = await listening(old)
    await using server = await serve('tls://127.0.0.1:0', { tls: old })
    assert.match(server.notes.join(), /certificate has expired .* clients will refuse it/)
    assert.match(await refusalOf({ ca: old.cert }, expired.url), /expired.*--pin/)
    await (await call({ pin: new X509Certificate(old.cert).fingerprint256 }, expired.url)).close()
  })

  test('a server without TLS is told from one with it', async () => {
    const answers: [answer: (socket: Socket) => unknown, refusal: RegExp][] = [
      [socket => socket.write('220 hello\r\n'), /that is not a TLS server \(ERR_SSL_WRONG_VERSION/],
      [socket => socket.pipe(socket), /not a TLS server; it may echo/],
      [socket => socket.once('data', () => socket.end()), /during the TLS handshake/],
    ]
    for (const [answer, refusal] of answers) {
      const peer = createServer(socket => void answer(socket.on('error', () => {})))
      await once(peer.listen(0, '127.0.0.1'), 'listening')
      const url = `tls://127.0.0.1:${(peer.address() as AddressInfo).port}`
      assert.match(await refusalOf({ insecure: true }, url), refusal)
      peer.close()
    }
  })

  test('what makes no sense is refused before it connects', async () => {
    const { cert } = createCertificate(['localhost'])
    const calls: [TlsCalling, RegExp][] = [
      [{ pin: 'xyz' }, /is not a fingerprint.*64 hexadecimal/],
      [{ ca: 'nonsense' }, /The CA cannot be used: that is not PEM/],
      [{ cert }, /belong together/],
      [{ cert, key: pem('client.key') }, /the key is not that of the certificate/],
      [{ cert: '', key: '' }, /certificate or key cannot be used: that is not PEM/],
      [{ cert, key: '' }, /certificate or key cannot be used: that is not PEM/],
    ]
    for (const [calling, refusal] of calls)
      assert.match(await refusalOf(calling, 'tls://127.0.0.1:1'), refusal)
    assert.match(await refusalOf({ insecure: true }, 'tcp://127.0.0.1:1'), /has no TLS/)
    await assert.rejects(serve('tls://127.0.0.1:0', { tls: { cert } }), /belong together/)
  })
})

describe('what was agreed on', () => {
  test('names, protocols and the chain are told', async () => {
    const identity = { cert: pem('server.pem'), key: pem('server.key') }
    await using server = await serve('tls://127.0.0.1:0', { tls: identity })
    const calling = { ca: pem('ca.pem'), serverName: 'localhost', alpn: ['any', 'thing'] }
    await using connection = await call(calling, server.url)
    const [protocol, names, ...chain] = connection.details
    assert.match(protocol!, /^TLSv1\.3, TLS_/)
    assert.equal(names, 'SNI localhost, ALPN any')
    assert.equal(chain[0], 'certificate 1 of 2: CN=server')
    assert.equal(chain[1], '  issued by CN=yodel test authority')
    assert.ok(chain.includes(`  SHA-256 ${server.fingerprint}`))
    assert.ok(chain.includes('certificate 2 of 2: CN=yodel test authority'))
  })

  test('a certificate cannot turn the text around', async () => {
    const { cert, key } = createCertificate(['localhost'])
    // Its signature is wrong then, but is not checked.
    const der = Buffer.from(new X509Certificate(cert).raw)
    // Turns what follows around, and takes as many bytes as `yodel `.
    const turned = Buffer.from('\u202eabc')
    for (let at = 0; (at = der.indexOf('yodel ', at)) !== -1; at++) turned.copy(der, at)
    const body = der.toString('base64')
    const evil = `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
    using peer = await listening({ cert: evil, key })
    await using connection = await call({ insecure: true }, peer.url)
    const text = connection.details.join('\n')
    assert.match(text, /CN=\\u\{202e\}abc/)
  })

  test('all threads show the same certificate', { skip: onlyFull }, async () => {
    await using server = await serve('tls://127.0.0.1:0', { threads: 2 })
    const pins = Array.from({ length: 12 }, async () => {
      await using connection = await call({ pin: server.fingerprint }, server.url)
      await connection.echo('x')
    })
    await Promise.all(pins)
  })
})

test('a client that ends while the echo arrives still gets all of it', async () => {
  for (let round = 0; round < short(5, 1); round++) {
    await using connection = await call({ pin: server.fingerprint })
    connection.stream.once('data', () => connection.end())
    let missing = 2 ** 20
    const sent = connection.write(Buffer.alloc(missing, 'echo'))
    for await (const chunk of connection) missing -= chunk.length
    assert.equal(missing, 0)
    await sent
  }
})

test('bench measures over TLS, and says how to do it again', async () => {
  const calling = { tls: { pin: server.fingerprint } }
  // So that few handshakes are due, however long it takes.
  const open = { ratePerSecond: 400, churnPerSecond: 20, expect: ['rate>0'] }
  const options = {
    connections: 2,
    count: short(100, 40),
    threads: 1,
    warmupMs: 0,
    ...open,
    calling,
  }
  const { verdict, run, histograms } = await bench(server.url, options).finished
  assert.equal(verdict, 'pass')
  assert.match(run.reproduce, new RegExp(` --pin ${server.fingerprint}`))
  assert.ok(histograms.connectUs.length > 0)
  const wrong = bench(server.url, { calling: { tls: { pin: '11'.repeat(32) } } })
  await assert.rejects(wrong.ready, /PIN_MISMATCH/)
})

test('the program: the command that it prints works, and failures are counted', async () => {
  await using program = (await yodelServe('tls://127.0.0.1:0', '--json')).program
  const [, command] = await program.says(/connect: yodel (connect .*)\n/)
  const [line] = await program.says(/\{.*\}/)
  const { address, fingerprint } = JSON.parse(line) as Record<string, string>
  assert.equal(command, `connect ${address} --pin ${fingerprint}`)
  const { code, stdout, stderr } = await yodel([...command.split(' '), '-v'], 'hello').finished
  assert.equal(stdout.toString(), 'hello')
  assert.match(stderr, /TLSv1\.3.*\n(.*\n)*.*self-signed/)
  assert.equal(code, 0)
  const garbage = await dial({ port: portOf(address!) })
  garbage.end('GET / HTTP/1.0\r\n\r\n')
  await ending(garbage)
  program.kill()
  const last = /served 2 clients.*, 1 handshake failed; failures: protocol 1\n$/
  assert.match((await program.finished).stderr, last)
})
