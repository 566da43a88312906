/** PROXY headers before the echo: which are trusted, and what becomes of the others. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bench, connect, serve, type Server } from 'yodel'
import {
  dial,
  echo,
  ending,
  freePort,
  isListening,
  pattern,
  read,
  readAll,
  until,
} from './client.ts'
import { onlyFull } from './full.ts'
import { missing, Program } from './program.ts'

const loopback = ['127.0.0.0/8', '::1/128']
const listen = (mode: 'accept' | 'require', from = loopback, handshakeTimeoutMs = 10_000) =>
  serve('tcp://127.0.0.1:0', { proxy: { mode, from }, handshakeTimeoutMs })

/** A server that requires it, for the tests that need nothing else of a server. */
let required: Server
before(async () => void (required = await listen('require')))
after(() => required.close('now'))
const header = 'PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n'

/** Sends pieces one after the other, each as a segment of its own. */
async function sendParts(server: Server, parts: (string | Buffer)[]) {
  const socket = await dial(server.address)
  socket.setNoDelay(true)
  for (const part of parts) await new Promise(resolve => socket.write(part, resolve))
  return socket
}

describe('a header that is required', () => {
  test('is not echoed, whatever it is cut into, and what stands behind it is', async () => {
    const server = required
    const before = server.snapshot().protocol
    for (const version of [1, 2] as const) {
      await using peer = await connect(server.address, { calling: { sendProxy: version } })
      assert.equal(Buffer.from((await peer.echo('hello')).reply).toString(), 'hello')
    }
    const whole = await sendParts(server, [`${header}hello`])
    assert.equal((await read(whole, 5)).toString(), 'hello')
    const bytewise = await sendParts(server, [...header.split(''), 'hello'])
    assert.equal((await read(bytewise, 5)).toString(), 'hello')
    const sent = pattern(1_000_000, 3)
    const big = await sendParts(server, [Buffer.concat([Buffer.from(header), sent])])
    big.end()
    assert.ok((await readAll(big)).equals(sent))
    for (const socket of [whole, bytewise]) socket.destroy()
    assert.equal(server.snapshot().protocol, before)
  })

  test('and missing or malformed ends the connection, and is counted', async () => {
    const server = required
    await until(() => server.counts().open === 0)
    const before = server.snapshot()
    const bad = ['hello, server', 'PROXY TCP9 a b 1 2\r\n', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n']
    for (const text of bad) {
      const socket = await dial(server.address)
      socket.write(text)
      const how = await ending(socket)
      assert.ok(['closed', 'ECONNRESET'].includes(how), how)
    }
    const silent = await dial(server.address)
    silent.end()
    assert.equal(await ending(silent), 'closed')
    await until(() => server.counts().closed === before.closed + 4)
    // A silent client cannot be told from a probe.
    assert.equal(server.snapshot().protocol, before.protocol + 3)
  })

  test('from a peer that is not trusted does not count', async () => {
    await using server = await listen('require', ['192.0.2.0/24'])
    const socket = await dial(server.address)
    socket.write(header)
    await ending(socket)
    assert.equal(server.snapshot().protocol, 1)
  })

  const hasReset = 'from a peer that has reset already does not count either'
  test(hasReset, { skip: onlyFull }, async () => {
    await using server = await listen('require', ['192.0.2.0/24'])
    const { opened } = server.snapshot()
    for (let count = 0; count < 20; count++) {
      const socket = await dial(server.address)
      socket.write(`${header}hello`)
      socket.resetAndDestroy()
    }
    await until(() => server.counts().closed === opened + 20)
    assert.equal(server.snapshot().bytesOut, 0)
  })

  test('and does not come in time is waited for no longer', async () => {
    await using server = await listen('require', loopback, 50)
    const socket = await dial(server.address)
    socket.write('PROXY TCP4')
    await ending(socket)
    assert.equal(server.snapshot().timedOut, 1)
  })
})

describe('a header that is accepted', () => {
  test('may be left out, and a silent client is not hurried', async () => {
    await using server = await listen('accept', loopback, 50)
    const silent = await dial(server.address)
    const plain = await dial(server.address)
    assert.equal(await echo(plain, 'P'.repeat(10)), 'P'.repeat(10))
    const proxied = await dial(server.address)
    proxied.write(`${header}hello`)
    assert.equal((await read(proxied, 5)).toString(), 'hello')
    await new Promise(resolve => setTimeout(resolve, 100))
    assert.equal(await echo(silent, 'still here'), 'still here')
    for (const socket of [silent, plain, proxied]) socket.destroy()
    assert.equal(server.snapshot().timedOut, 0)
  })

  test('is data where it comes from a peer that is not trusted', async () => {
    await using server = await listen('accept', ['192.0.2.1'])
    const socket = await dial(server.address)
    assert.equal(await echo(socket, header), header)
    socket.destroy()
  })
})

test('a load can send headers, and networks that are none are refused', async () => {
  const load = { connections: 3, count: 30, warmupMs: 0, calling: { sendProxy: 2 as const } }
  const result = await bench(required.address, load).finished
  assert.deepEqual([result.verdict, result.messages.received], ['pass', 30])
  const bad = serve('tcp://127.0.0.1:0', { proxy: { mode: 'require', from: ['10.0.0.0/33'] } })
  await assert.rejects(bad, /'10\.0\.0\.0\/33' is neither an address nor a network/)
})

const haproxy = missing('haproxy')
test('haproxy in front, with both versions', { skip: haproxy }, async () => {
  const server = required
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
  const ports = [await freePort(), await freePort()]
  const { port } = server.address as { port: number }
  const section = (n: number, how: string) =>
    `listen v${n}\n bind 127.0.0.1:${ports[n]}\n server s 127.0.0.1:${port} ${how}\n`
  const defaults =
    'defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n'
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, defaults + section(0, 'send-proxy') + section(1, 'send-proxy-v2'))
  const checked = spawnSync('haproxy', ['-c', '-f', file])
  assert.equal(checked.status, 0, checked.stderr.toString())
  await using _ = new Program('haproxy', ['-db', '-f', file], 'ignore')
  for (const front of ports) {
    await until(() => isListening(front))
    await using peer = await connect({ transport: 'tcp', host: '127.0.0.1', port: front })
    const sent = pattern(300_000, front)
    assert.ok(Buffer.from((await peer.echo(sent)).reply).equals(sent))
  }
})
