/** Servers for old clients: RFC 863 and RFC 864. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { serve } from 'yodel'
import { dial, read } from './client.ts'
import { createTypist } from './typist.ts'

const typist = createTypist()
const portOf = ({ address }: { address: unknown }) => (address as { port: number }).port

test('discard reads everything and says nothing but FIN', async () => {
  await using server = await serve('tcp://127.0.0.1:0', { reply: 'discard' })
  const socket = await dial({ port: portOf(server) })
  let came = 0
  socket.on('data', chunk => (came += chunk.length))
  socket.end(Buffer.alloc(1_000_000))
  await once(socket, 'end')
  assert.equal(came, 0)
  assert.deepEqual([server.counts().bytesIn, server.counts().bytesOut], [1_000_000, 0])
})

test('chargen sends the lines of RFC 864 until the client has gone', async () => {
  await using server = await serve('tcp://127.0.0.1:0', { reply: 'chargen' })
  const socket = await dial({ port: portOf(server) })
  socket.write('what is said is discarded')
  const lines = (await read(socket, 74 * 200)).toString('latin1').split('\r\n')
  for (const [n, line] of lines.slice(0, 200).entries()) {
    const characters = Array.from({ length: 72 }, (_, at) =>
      String.fromCharCode(0x20 + ((n + at) % 95)),
    )
    assert.equal(line, characters.join(''))
  }
  // It holds no more than its buffers for a client that does not read.
  const before = server.counts().bytesOut
  assert.ok(before < 64 * 2 ** 20, `${before}`)
  socket.destroy()
})

test('what would be of use against others, or makes no sense, is refused', async () => {
  const cases: [string[], RegExp][] = [
    [['udp://:0', '--reply', 'chargen'], /Only an echo is served on udp/],
    [['ws://:0', '--reply', 'discard'], /Only an echo is served on ws/],
    [[':0', '--reply', 'discard', '--fault', 'delay=1ms'], /Faults act on an echo/],
    [[':0', '--reply', 'discard', '--directions'], /together with an echo/],
    [[':0', '--reply', 'daytime'], /echo, discard, chargen/],
  ]
  for (const [args, why] of cases) {
    const { code, stderr } = await typist(['serve', ...args])
    assert.equal(code, 2)
    assert.match(stderr, why)
  }
})
