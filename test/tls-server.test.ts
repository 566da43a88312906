/** TLS servers: the suite on both engines that have TLS, and what only one of them can do. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { connect, serve } from 'yodel'
import { dialTls, ending } from './client.ts'
import { onlyFull } from './full.ts'
import { tlsServerSuite } from './tls-server.suite.ts'

tlsServerSuite('node')
tlsServerSuite('uring')

describe('how a fault ends it', () => {
  test('RST of a fault goes out below TLS, and slices are kept', async () => {
    await using server = await serve('tls://127.0.0.1:0', {
      faults: [{ kind: 'slice', minBytes: 2, maxBytes: 2 }],
    })
    const sliced = await dialTls(server.address)
    const chunks: string[] = []
    sliced.on('data', chunk => chunks.push(String(chunk)))
    sliced.end('abcdef')
    await once(sliced, 'end')
    assert.deepEqual(chunks, ['ab', 'cd', 'ef'])
    await server.setFaults([{ kind: 'reset', afterBytes: 3 }])
    const reset = await dialTls(server.address)
    reset.write('abcdef')
    assert.equal(await ending(reset), 'ECONNRESET')
  })
})

describe('behind a proxy', () => {
  test('behind a PROXY header, sent or left out', { skip: onlyFull }, async () => {
    const proxy = { mode: 'accept' as const, from: ['127.0.0.0/8'] }
    await using server = await serve('tls://127.0.0.1:0', { proxy })
    const tls = { pin: server.fingerprint }
    for (const calling of [{ tls }, { tls, sendProxy: 1 }, { tls, sendProxy: 2 }] as const) {
      await using connection = await connect(server.url, { calling })
      assert.equal(Buffer.from((await connection.echo('behind')).reply).toString(), 'behind')
    }
    assert.equal(server.snapshot().handshakesFailed, 0)
  })
})
