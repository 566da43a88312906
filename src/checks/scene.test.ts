import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { OwnDelay } from './again.ts'
import { nothingKnown, Scene } from './scene.ts'

const limits = {
  thorough: false,
  silenceMs: 1_000,
  bytes: 2 ** 20,
  rowMs: 1_000,
  idleMs: 1_000,
  allMs: 10_000,
  maxConnections: 4,
}

test('a connection that opens when the question is over is closed', async () => {
  const server = createServer(socket => socket.on('error', () => {}).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  using own = new OwnDelay()
  const scene = new Scene(
    {
      address: { transport: 'tcp', host: '127.0.0.1', port },
      calling: {},
      limits,
      known: nothingKnown(),
      own,
      control: undefined,
    },
    { atOnce: 1, connections: 1, bytes: 0, ms: 1_000 },
    new AbortController().signal,
  )
  const accepted = once(server, 'connection')
  const opening = scene.open()
  await scene[Symbol.asyncDispose]()
  await assert.rejects(opening, /is over/)
  const [socket] = (await accepted) as [Socket]
  if (!socket.closed) await once(socket, 'close')
  server.close()
})
