/** Faults on WebSocket: messages keep their bounds and their kind, whatever is done to them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import type { FaultSpec, Server } from 'yodel'
import { ending, readAll } from './client.ts'
import { frame, parsed, upgraded } from './frames.ts'
import { closed, open, portOf, receive, start } from './ws-clients.ts'

let server: Server
before(async () => void (server = await start({ faults: [] })))
after(() => server.close())

/** One message, or another action, to a server with these faults; its frames until FIN. */
async function answered(faults: FaultSpec[], sent: Buffer[]) {
  await server.setFaults(faults)
  const socket = await upgraded(portOf(server))
  socket.end(Buffer.concat(sent))
  return readAll(socket)
}

const delayed: FaultSpec = { kind: 'delay', ms: 40 }

test('slice cuts a message into fragments, which are one message', async () => {
  await server.setFaults([{ kind: 'slice', minBytes: 3, maxBytes: 3 }])
  const client = await open(server)
  const back = receive(client, 3)
  client.send('hällo')
  client.send(Buffer.from('binary'))
  client.send('')
  client.close(4000, 'bye')
  assert.deepEqual(await back, ['hällo', Buffer.from('binary'), ''])
  assert.deepEqual(await closed(client), [4000, 'bye'])
  const socket = await upgraded(portOf(server))
  socket.write(Buffer.concat([frame(2, 'abcdef'), frame(8, '')]))
  const expected = Buffer.concat([
    Buffer.of(0x02, 3),
    Buffer.from('abc'),
    Buffer.of(0x80, 3),
    Buffer.from('def'),
    Buffer.of(0x88, 0),
  ])
  assert.deepEqual(await readAll(socket), expected)
  socket.end()
})

test('delay holds the answer to a close frame, too', async () => {
  await server.setFaults([{ kind: 'delay', ms: 60 }])
  const client = await open(server)
  const startedMs = performance.now()
  const back = receive(client, 2)
  client.send('one')
  client.send('two')
  client.close(1000, 'done')
  assert.deepEqual(await back, ['one', 'two'])
  assert.ok(performance.now() - startedMs >= 59)
  assert.deepEqual(await closed(client), [1000, 'done'])
})

test('truncate ends without a close frame, reset with RST', async () => {
  const cut = await answered([{ kind: 'truncate', afterBytes: 4 }], [frame(1, 'hello')])
  assert.deepEqual(cut, Buffer.concat([Buffer.of(0x01, 4), Buffer.from('hell')]))
  await server.setFaults([{ kind: 'reset', afterBytes: 2 }])
  const socket = await upgraded(portOf(server))
  const broken = ending(socket)
  socket.write(frame(1, 'hello'))
  assert.equal(await broken, 'ECONNRESET')
})

test('hang answers neither messages nor pings, until the faults are changed', async () => {
  await server.setFaults([{ kind: 'hang' }])
  const client = await open(server)
  const heard: string[] = []
  client.on('pong', data => heard.push(`pong ${data.toString()}`))
  client.on('message', data => heard.push((data as Buffer).toString()))
  client.send('held')
  client.ping('lost')
  const other = await open(server)
  other.terminate()
  await server.setFaults([])
  await once(client, 'message')
  client.ping('answered')
  await once(client, 'pong')
  assert.deepEqual(heard, ['held', 'pong answered'])
  client.terminate()
})

test('drop and duplicate take whole messages; a FIN behind them changes nothing', async () => {
  const two = [frame(2, 'first'), frame(2, 'second'), frame(8, '')]
  const texts = async (faults: FaultSpec[]) =>
    parsed(await answered(faults, two))
      .filter(({ opcode }) => opcode === 2)
      .map(({ payload }) => payload.toString())
  assert.deepEqual(await texts([delayed]), ['first', 'second'])
  assert.deepEqual(await texts([{ kind: 'drop', perMessage: 1 }]), [])
  const doubled = ['first', 'first', 'second', 'second']
  assert.deepEqual(await texts([{ kind: 'duplicate', perMessage: 1 }]), doubled)
})

test('a server that leaves sends what it still holds, then 1001', async () => {
  const leaving = await start({ faults: [{ kind: 'delay', ms: 80 }] })
  const client = await open(leaving)
  const back = receive(client, 1)
  client.send('held')
  const left = leaving.close()
  assert.deepEqual(await back, ['held'])
  assert.deepEqual(await closed(client), [1001, 'the server is leaving'])
  await left
})
