/** A timeout in a thread that is held up while the other side answers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { afterTimeout } from './patience.ts'

/** The thread does nothing else for so long. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

test('what has come is read before the other side has timed out, however often', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [peer] = (await once(server, 'connection')) as [Socket]
  const timeoutMs = 40
  let timedOut = false
  const timedOutOrNot = new Promise<void>(resolve => {
    const end = afterTimeout(timeoutMs, () => {
      timedOut = true
      resolve()
    })
    client.once('data', () => {
      end()
      resolve()
    })
    // Right behind the timeout, which is late; then both are late again, and the answer is there.
    setTimeout(
      () =>
        setImmediate(() => {
          peer.write('x')
          standStill(100)
        }),
      timeoutMs,
    )
    standStill(100)
  })
  await timedOutOrNot
  client.destroy()
  server.close()
  assert.equal(timedOut, false)
})
