import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { OwnDelay } from './again.ts'
import { bytes } from './bytes.ts'
import { checkLimits } from './limits.ts'
import { nothingKnown, Scene } from './scene.ts'

test('an echo that the first look did not see is late, and still an echo', async () => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => setTimeout(() => socket.write(chunk), 300))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  using own = new OwnDelay()
  const limits = { ...checkLimits(false, 1_000, 4), silenceMs: 200 }
  const known = { ...nothingKnown(), echoes: false }
  const address = { transport: 'tcp', host: '127.0.0.1', port } as const
  const context = { address, calling: {}, limits, known, own, control: undefined }
  await using scene = new Scene(context, bytes.cost(limits), new AbortController().signal)
  const answer = await bytes.ask(scene)
  assert.ok('found' in answer)
  assert.deepEqual(
    answer.found.map(({ name }) => name),
    ['late'],
  )
  assert.match(answer.found[0]!.said, /^what is sent comes back, but only after [3-9]\d\dms$/)
  server.close()
})
