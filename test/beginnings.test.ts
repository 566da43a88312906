/**
 * The first bytes of a client, which the server reads to find out what they are: neither a byte nor
 * an end is lost.
 */
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { serve, type ServeOptions, type Server } from 'yodel'
import { dial, readAll, until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { refusal } from './refusal.ts'

/** Beginnings that the server might take for something else. */
const prefixes = (text: string) =>
  Array.from(text, (_, at) => Buffer.from(text.slice(0, at + 1), 'latin1'))
const signatures = ['PROXY ', '\r\n\r\n\0\r\nQUIT\n']
const headers = [...signatures.flatMap(prefixes), Buffer.from('PROXY TCP4 192.0.2.1 ')]
const preface = prefixes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r')
const hello = prefixes('\x16\x03\x01\x00\xf8\x01')

const accept = { mode: 'accept' as const, from: ['127.0.0.0/8', '::1/128'] }
const require = { ...accept, mode: 'require' as const }

type Leaves = 'fin' | 'bytewise' | 'reset'

/** A client that has sent this. */
async function begin({ address }: Server, bytes: Buffer, how: Leaves): Promise<Socket> {
  const socket = await dial(address)
  socket.setNoDelay(true).on('error', () => {})
  const parts = how === 'bytewise' ? [...bytes].map(byte => Buffer.of(byte)) : [bytes]
  for (const part of parts) await new Promise(resolve => socket.write(part, resolve))
  return socket
}

/** What comes back to a client that sends this and then FIN. */
async function answerTo(server: Server, bytes: Buffer, how: Leaves = 'fin'): Promise<string> {
  const socket = await begin(server, bytes, how)
  socket.end()
  return (await readAll(socket)).toString('latin1')
}

/** Many clients begin, and reset once the server has seen what they sent. */
async function resetAll(server: Server, begins: Buffer[]) {
  const sockets = await Promise.all(begins.map(bytes => begin(server, bytes, 'reset')))
  // It answers in the order in which it reads.
  for (let times = 0; times < 2; times++) await answerTo(server, Buffer.alloc(0))
  for (const socket of sockets) socket.resetAndDestroy()
}

/** So many connections failed, and not one more, once all clients are gone. */
async function assertFailed(server: Server, count: number, why?: string) {
  const failed = () => {
    const { reset, closedEarly, protocol } = server.counts()
    return reset + closedEarly + protocol
  }
  // It counts why after it has counted the close.
  await until(() => server.counts().opened === server.counts().closed && failed() >= count)
  const { timedOut, other } = server.counts()
  assert.deepEqual([failed(), timedOut, other], [count, 0, 0], why)
}

test('a PROXY header that may come, and is none: all of it is echoed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
  const urls = ['tcp://127.0.0.1:0', `unix:${join(folder, 'echo')}`]
  for (const url of short(urls, urls.slice(0, 1))) {
    await using server = await serve(url, { proxy: accept })
    for (const how of ['fin', 'bytewise'] as const) {
      const answers = await Promise.all(headers.map(bytes => answerTo(server, bytes, how)))
      assert.deepEqual(answers, headers.map(String), how)
    }
    await assertFailed(server, 0)
  }
})

test('a header, and then nothing at all: the FIN is answered', async () => {
  for (const proxy of short([accept, require], [accept])) {
    await using server = await serve('tcp://127.0.0.1:0', { proxy })
    const header = Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n')
    for (const how of ['fin', 'bytewise'] as const)
      assert.equal(await answerTo(server, header, how), '')
    if (proxy === accept) assert.equal(await answerTo(server, Buffer.alloc(0), 'fin'), '')
    await assertFailed(server, 0)
  }
})

/**
 * Servers for which an incomplete beginning is a failure of its connection, which is counted once.
 */
const rows: [url: string, begins: Buffer[], proxy?: ServeOptions['proxy'], ring?: 'uring'][] = [
  ['tcp://127.0.0.1:0', headers, require],
  ['tls://127.0.0.1:0', [...headers, ...hello], accept],
  ['tls://127.0.0.1:0', hello],
  ['ws://127.0.0.1:0', headers, accept],
  ['wss://127.0.0.1:0', hello],
  ['ws://127.0.0.1:0', prefixes('GET / HTTP/1.1\r\nHost: x\r\n\r'), undefined, 'uring'],
  // Empty lines before a request are passed over (RFC 9112 section 2.2).
  ['http://127.0.0.1:0', headers.filter(bytes => !/^[\r\n]*$/.test(String(bytes))), accept],
  ['http://127.0.0.1:0', preface],
  ['https://127.0.0.1:0', hello],
]
/** Servers that decide in different ways; the others are made of the same parts. */
const daily = ['tcp, PROXY require', 'http']
for (const [url, begins, proxy, engine = 'node'] of rows) {
  const added = proxy ? `, PROXY ${proxy.mode}` : engine === 'uring' ? ' on the ring' : ''
  const name = `${url.split(':')[0]}${added}`
  const skip = refusal(engine) || (!daily.includes(name) && onlyFull)
  test(`cut off: each is a failure, once (${name})`, { skip }, async () => {
    await using server = await serve(url, { proxy, engine, handshakeTimeoutMs: 60_000 })
    for (const [at, how] of (['fin', 'bytewise', 'reset'] as const).entries()) {
      if (how === 'reset') await resetAll(server, begins)
      else await Promise.all(begins.map(bytes => answerTo(server, bytes, how)))
      await assertFailed(server, begins.length * (at + 1), how)
    }
    // A probe that connects and sends nothing is no failure either.
    const { handshakesFailed } = server.counts()
    assert.equal(await answerTo(server, Buffer.alloc(0)), '')
    await assertFailed(server, begins.length * 3)
    assert.equal(server.counts().handshakesFailed, handshakesFailed)
  })
}

test('a reset within what may be a header or not is counted', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { proxy: accept })
  const begins = headers.filter(bytes => !signatures.includes(bytes.toString('latin1')))
  await resetAll(server, begins)
  await assertFailed(server, begins.length)
  assert.equal(server.counts().reset, begins.length)
})
