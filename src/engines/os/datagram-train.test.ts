/** Datagrams that the system takes together are single ones all the same. Linux with FFI. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { descriptorOf } from './datagram-descriptor.ts'
import { receiveJoined } from './datagram-joined.ts'
import { DatagramTrain } from './datagram-train.ts'
import { loadLibc } from './libc.ts'

const libc = process.platform === 'linux' ? loadLibc() : 'This is not Linux.'
const skip = typeof libc === 'string' && libc

for (const isConnected of [true, false])
  test(`a train arrives as single datagrams; connected: ${isConnected}`, { skip }, async () => {
    const [from, to] = [createSocket('udp4'), createSocket('udp4')]
    to.bind(0, '127.0.0.1')
    await once(to, 'listening')
    const { port } = to.address()
    if (isConnected) from.connect(port, '127.0.0.1')
    else from.bind(0, '127.0.0.1')
    await once(from, isConnected ? 'connect' : 'listening')
    const peer = { transport: 'udp', host: '127.0.0.1', port } as const
    const train = DatagramTrain.to(100, isConnected ? undefined : peer)!
    for (let n = 0; n < 5; n++) train.room.fill(n, n * 100, (n + 1) * 100)
    const came: Buffer[] = []
    const all = new Promise<void>(resolve =>
      to.on('message', data => came.push(data) === 6 && resolve()),
    )
    const fd = descriptorOf(from)!
    assert.equal(train.send(fd, 500), 'sent')
    assert.equal(train.send(fd, 100), 'sent')
    await all
    assert.deepEqual(
      came.map(data => [data.length, data[0], data[99]]),
      [0, 1, 2, 3, 4, 0].map(n => [100, n, n]),
    )
    from.close()
    to.close()
  })

test('what came together is read together, where that was asked for', { skip }, async () => {
  const [from, to] = [createSocket('udp4'), createSocket('udp4')]
  to.bind(0, '127.0.0.1')
  await once(to, 'listening')
  from.connect(to.address().port, '127.0.0.1')
  await once(from, 'connect')
  assert.equal(receiveJoined(descriptorOf(to)), true)
  const train = DatagramTrain.to(100)!
  const next = once(to, 'message')
  // The last one is shorter.
  assert.equal(train.send(descriptorOf(from)!, 450), 'sent')
  const [joined] = (await next) as [Buffer]
  assert.equal(joined.length, 450)
  from.close()
  to.close()
})
