/** Servers and pipes that end at the worst moment: the program ends, and says what happened. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, serve } from 'yodel'
import { dial, echo, ending, until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()

/** A server that does this with each client; its port. */
async function rudeServer(
  each: (socket: Socket) => void,
): Promise<{ server: Server; port: string }> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    each(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: String((server.address() as AddressInfo).port) }
}

test('connect: a server that finishes or resets at once is told of', async () => {
  const ways: ((socket: Socket) => void)[] = [
    socket => socket.end(),
    socket => socket.end().destroySoon(),
    socket => socket.resetAndDestroy(),
  ]
  for (const way of short(ways, ways.slice(2))) {
    const { server, port } = await rudeServer(way)
    for (let n = 0; n < short(5, 1); n++) {
      const { code, stderr } = await yodel(['connect', port], 'hello').finished
      // A reset may also come before we know that we were connected.
      if (code === 3) assert.match(stderr, /^yodel: Cannot connect .*ECONNRESET.*\n$/)
      else assert.match(stderr, /^yodel: the (server finished|connection broke).*missing\.\n$/)
      assert.ok(code === 1 || code === 3, `exit code ${code}`)
    }
    server.close()
  }
})

test('flood: an open loop ends when its server is gone', async () => {
  await using server = await serve(':0', { engine: 'node' })
  const flooded = typed(['flood', server.url, '--rate', '1k', '--duration', '60s'])
  await until(() => server.counts().bytesOut > 0)
  await server.close('now')
  assert.equal((await flooded).code, 1)
})

test('flood: after the last message a silent server is not waited for long', async () => {
  const { server, port } = await rudeServer(socket => socket.on('data', data => socket.write(data)))
  const { code, stdout } = await typed(['flood', port, '--count', '10'])
  assert.equal(code, 0)
  assert.match(stdout, /10 verified/)
  server.close()
})

test('stdout and stderr have no reader: the server serves on, and ends well', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'yodel-')), 'socket')
  await using program = yodel(['serve', `unix:${path}`])
  program.child.stdout!.destroy()
  await until(() => existsSync(path))
  const socket = await dial({ path })
  assert.equal(await echo(socket, 'hello'), 'hello')
  socket.end()
  program.kill()
  const { code, stderr } = await program.finished
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^yodel: served 1 client, 5 B echoed\n$/)
})

const greedy = 'blocking: a client that does not read is given up after drainMs'
test(greedy, { skip: onlyFull }, async () => {
  const server = await serve(':0', { engine: 'blocking', drainMs: 300 })
  const greedy = await dial(server.address)
  greedy.on('error', () => {}).pause()
  greedy.write(Buffer.alloc(64 * 2 ** 20))
  await until(() => server.counts().open === 1)
  await server.close()
  const { open, idleClosed } = server.snapshot()
  assert.deepEqual([open, idleClosed], [0, 0])
  greedy.destroy()
})

test('close() may be called again, and cannot slow a close("now")', async () => {
  const server = await serve(':0', { engine: 'node', drainMs: 60_000 })
  const socket = await dial(server.address)
  await until(() => server.counts().open === 1)
  void server.close()
  void server.close('now')
  const gone = ending(socket)
  await server.close()
  await gone
})

test('durations longer than a timer can hold do not end at once', { skip: onlyFull }, async () => {
  await using server = await serve(':0', { drainMs: 2 ** 40 })
  await using peer = await connect(server.url, { timeoutMs: 2 ** 40 })
  assert.equal((await peer.echo('x')).reply.length, 1)
})
