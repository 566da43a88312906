/** Clients that wait for a server that is full: their addresses, and the place of each. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect, serve } from 'yodel'
import { WebSocket } from 'ws'
import type * as Api from '../src/dashboard/api.ts'
import { dial, echo, until } from './client.ts'
import { startBoard, type Board } from './dashboard.ts'
import { onlyFull } from './full.ts'
import { refusal } from './refusal.ts'

const linux = process.platform !== 'linux' && 'only Linux tells which clients wait'

test('no client waits again after it was served', { skip: linux }, async () => {
  await using board = await startBoard({ serve: { concurrency: 1 } })
  const look = () => board.observer.observe()
  const come = async () => (await dial(board.server.address)).on('error', () => {})
  const clients = [await come()]
  for (let round = 0; round < 5; round++) {
    clients.push(await come(), await come())
    await look()
    const [served, next] = clients.splice(0, 2)
    served!.destroy()
    assert.equal(await echo(next!, 'my turn'), 'my turn')
    next!.destroy()
    assert.equal(await echo(clients[0]!, 'mine'), 'mine')
    // Others wait still, so the list of them is not empty.
    clients.push(await come())
    await look()
    await look()
  }
  const peers = board.observer.lanes.map(({ peer }) => peer)
  assert.deepEqual(peers, [...new Set(peers)])
  for (const client of clients) client.destroy()
})

async function openConsole(board: Board): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${board.port}/api/console?listener=0`)
  await once(socket, 'open')
  return socket
}

for (const [engine, address] of [
  ['node', 'ws://127.0.0.1:0'],
  ['node', ':0'],
  ['uring', ':0'],
  ['blocking', ':0'],
] as const) {
  const skip = linux || refusal(engine) || (address === ':0' && onlyFull)
  const name = `${engine}, ${address}: a console that waits says where, and then has its echo`

  test(name, { skip }, async () => {
    await using server = await serve(address, { engine, concurrency: 1, ledger: true })
    await using board = await startBoard({ server, serve: { concurrency: 1 } })
    const [first, second] = [await connect(server.url), dial(server.address)]
    await first.echo('I am served')
    // A thread of its own may have echoed before the one that accepts has counted it.
    await until(() => server.counts().open === 1)
    const client = await second
    const socket = await openConsole(board)
    const said: (Api.ConsoleReply | Api.ConsoleWaiting)[] = []
    socket.on('message', (data: Buffer) => said.push(JSON.parse(data.toString())))
    socket.send('hello')
    await until(() => said.length > 0)
    assert.deepEqual(said[0], { waiting: { place: 2, of: 2 } })
    // The one that waits in front gives up, and the one that is served leaves.
    client.destroy()
    await first.close()
    await until(() => 'text' in said.at(-1)!)
    assert.equal((said.at(-1) as Api.ConsoleReply).text, 'hello')
    socket.terminate()
  })
}
