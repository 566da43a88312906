/** Loads over TLS, by each engine that has it, and which certificates they trust. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import * as tls from 'node:tls'
import { bench, type BenchOptions, type RunResult } from 'yodel'
import { pem } from './certificates.ts'
import { onlyFull, short } from './full.ts'
import { Program, root, yodelPath } from './program.ts'
import { loadRefusal } from './refusal.ts'

type Engine = NonNullable<BenchOptions['engine']>
type Calling = NonNullable<NonNullable<BenchOptions['calling']>['tls']>

/** A hang is a failure. */
const timeout = 120_000
const identity = { cert: pem('server.pem'), key: pem('server.key') }
const ca = pem('ca.pem')

/** A server of node:tls, with its own way to answer. */
async function listening(
  answer: (socket: tls.TLSSocket) => unknown = socket => socket.pipe(socket),
  options: tls.TlsOptions = {},
) {
  const peer = tls.createServer({ ...identity, ...options }, socket => {
    answer(socket.on('error', () => {}))
  })
  await once(peer.on('tlsClientError', () => {}).listen(0, '127.0.0.1'), 'listening')
  const url = `tls://127.0.0.1:${(peer.address() as AddressInfo).port}`
  return { url, [Symbol.dispose]: () => void peer.close() }
}

for (const engine of ['node', 'uring'] as const) {
  // The node engine has tests of its own in tls.test and load-node.test.
  const skip = loadRefusal(engine) || (engine === 'node' && onlyFull)
  describe(`${engine} over TLS`, { timeout, skip }, () => {
    counts(engine)
    fails(engine)
    believes(engine)
  })
}

function run(
  engine: Engine,
  url: string,
  options: BenchOptions,
  calling: Calling = { ca },
): Promise<RunResult> {
  const load = bench(url, {
    engine,
    warmupMs: 0,
    threads: 1,
    ...options,
    calling: { tls: calling },
  })
  // What goes wrong is told there, too.
  load.ready.catch(() => {})
  return load.finished
}

function counts(engine: Engine) {
  const small = { minBytes: 1, maxBytes: 2_000, weight: 9 }
  const large = { minBytes: 60_000, maxBytes: 300_000, weight: 1 }
  const counted: BenchOptions[] = [
    { connections: 3, count: 61, depth: 16, sizeBytes: [small, large], idle: 2 },
    ...short([{ connections: 2, count: 7, sizeBytes: 1e6 }], []),
  ]
  for (const options of counted)
    test(`a count is exact: ${JSON.stringify(options)}`, async () => {
      using peer = await listening()
      const { verdict, messages, bytes } = await run(engine, peer.url, options)
      assert.equal(verdict, 'pass')
      assert.deepEqual([messages.sent, messages.received], [options.count, options.count])
      assert.equal(bytes.sent, bytes.received)
    })

  test('a server that reads late gets all of it', async () => {
    using peer = await listening(socket => {
      socket.pause()
      setTimeout(() => socket.pipe(socket), short(500, 100))
    })
    const options = { connections: 1, count: 20, depth: 20, sizeBytes: 300_000 }
    const { verdict, messages } = await run(engine, peer.url, options)
    assert.deepEqual([verdict, messages.received], ['pass', 20])
  })
}

function fails(engine: Engine) {
  const count = { connections: 1, count: 40 }
  test('a wrong byte is found out', async () => {
    using peer = await listening(socket =>
      socket.on('data', (data: Buffer) => {
        data[0]! ^= 1
        socket.write(data)
      }),
    )
    const { verdict, errors } = await run(engine, peer.url, count)
    assert.deepEqual([verdict, errors.wrongBytes], ['fail', 1])
  })

  test('a server that ends early', async () => {
    using peer = await listening(socket => socket.once('data', () => socket.end()))
    const { errors } = await run(engine, peer.url, count)
    assert.equal(errors.closedEarly, 1)
  })
}

function believes(engine: Engine) {
  test('a server that it must not believe, and one that it may', async () => {
    using peer = await listening()
    const count = { connections: 2, count: 4 }
    const refused: [Calling, RegExp][] = [
      [{}, /UNABLE_TO_VERIFY_LEAF|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER/],
      [{ pin: '00'.repeat(32) }, /PIN_MISMATCH/],
      [{ ca, serverName: 'other.example' }, /its certificate is for .*ALTNAME_INVALID/],
    ]
    for (const [calling, refusal] of refused)
      await assert.rejects(run(engine, peer.url, count, calling), refusal)
    const trusting = [{ ca, serverName: 'localhost', alpn: ['any'] }, { insecure: true }]
    for (const calling of short(trusting, trusting.slice(0, 1)))
      assert.equal((await run(engine, peer.url, count, calling)).verdict, 'pass')
  })

  test('an authority that Node was told of at its start', { skip: onlyFull }, async () => {
    using peer = await listening()
    const args = [yodelPath, 'bench', peer.url, '--engine', engine, '--count', '4']
    const env = { NODE_EXTRA_CA_CERTS: `${root}test/peers/tls/ca.pem` }
    await using program = new Program(process.execPath, args, 'ignore', { env })
    const { code, stderr } = await program.finished
    // A busy machine holds the generator up (4); a server that it does not believe is 3.
    assert.ok(code === 0 || code === 4, `${code}: ${stderr}`)
  })

  test('a server that demands a certificate', async () => {
    using peer = await listening(undefined, { ca, requestCert: true })
    const own = { ca, cert: pem('client.pem'), key: pem('client.key') }
    const count = { connections: 1, count: 4 }
    assert.equal((await run(engine, peer.url, count, own)).verdict, 'pass')
    const { errors } = await run(engine, peer.url, count)
    assert.equal(errors.protocol, 1)
  })

  test('what is no TLS server is told from one', async () => {
    const peer = createServer(socket => socket.on('error', () => {}).end('220 hello\r\n'))
    await once(peer.listen(0, '127.0.0.1'), 'listening')
    const url = `tls://127.0.0.1:${(peer.address() as AddressInfo).port}`
    await assert.rejects(
      run(engine, url, { count: 1 }),
      /not a TLS server|during the TLS handshake/,
    )
    peer.close()
  })
}
