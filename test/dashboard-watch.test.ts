/** What the dashboard shows of clients: waiting, served, bytes moved; and its events. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { serve } from 'yodel'
import type * as Api from '../src/dashboard/api.ts'
import type * as Events from '../src/dashboard/events.ts'
import type * as Routes from '../src/dashboard/routes.ts'
import { dial, echo, ending, until } from './client.ts'
import { Observer, startBoard, type Board } from './dashboard.ts'
import { onlyFull, short } from './full.ts'
import { built } from './program.ts'
import { refusal } from './refusal.ts'

const { Watchers } = (await import(built('dashboard/events.js'))) as typeof Events
const { createRoutes } = (await import(built('dashboard/routes.js'))) as typeof Routes

const linux = process.platform !== 'linux' && 'only Linux tells which clients wait'

async function rows(board: Board, query = ''): Promise<Api.ConnectionRow[]> {
  await board.observer.observe()
  const { json } = await board.ask('GET', `/api/connections${query}`)
  return (json as Api.ConnectionPage).rows
}

const nameOf = (socket: Socket) => `127.0.0.1:${socket.localPort}`

/** Here the waiting clients are counted in another way than at the unix socket below. */
const daily = refusal('uring') ? 'node' : 'uring'

for (const engine of ['node', 'uring', 'blocking'] as const) {
  const skip = linux || refusal(engine)

  test(
    `${engine}: a client waits, is served when another is killed, and ends`,
    { skip: skip || (engine !== daily && onlyFull) },
    async () => {
      await using board = await startBoard({ serve: { engine, concurrency: 1 } })
      const [first, second] = [await dial(board.server.address), await dial(board.server.address)]
      assert.equal(await echo(first, 'hello'), 'hello')
      let found: Api.ConnectionRow[] = []
      await until(async () => (found = await rows(board)).length === 2)
      const [served, waiting] = found
      assert.deepEqual([served!.peer, served!.waiting], [nameOf(first), false])
      assert.deepEqual([waiting!.peer, waiting!.waiting], [nameOf(second), true])
      // The figures are read once a second.
      await until(async () => (await rows(board))[0]!.bytesIn === 5)
      assert.equal((await rows(board))[0]!.bytesOut, 5)
      const lanes = async () => (await board.ask('GET', '/api/timeline')).json as Api.Lane[]
      assert.ok((await lanes()).find(({ id }) => id === waiting!.id)!.waitingFrom! > 0)
      const last = (await board.ask('GET', '/api/history')).json.at(-1) as Api.Second
      assert.deepEqual([last.open, last.waiting], [1, 1])

      assert.equal((await board.ask('DELETE', `/api/connections/${waiting!.id}`)).status, 404)
      const killed = ending(first)
      const { json } = await board.ask('DELETE', `/api/connections/${served!.id}`)
      assert.deepEqual(json, { killed: 1 })
      assert.match(await killed, /closed|ECONNRESET/)
      assert.equal(await echo(second, 'my turn'), 'my turn')
      await until(async () => (await rows(board))[0]?.waiting === false)
      const [one] = await rows(board)
      // Its name stays the same from waiting to being served.
      assert.deepEqual([one!.id, one!.peer], [waiting!.id, nameOf(second)])
      second.destroy()
      await until(async () => (await rows(board)).length === 0)
      await board.observer.observe()
      const ended = await lanes()
      const [a, b] = [served!.id, waiting!.id].map(id => ended.find(lane => lane.id === id))
      assert.deepEqual(
        a!.activity.map(([, bytes]) => bytes),
        [10],
      )
      assert.equal(a!.waitingFrom, null)
      assert.ok(b!.waitingFrom! <= b!.servedFrom! && b!.servedFrom! <= b!.until!)
    },
  )

  test(
    `${engine}: connections are filtered, sorted, paged and killed by filter`,
    { skip: skip || (engine !== 'node' && onlyFull) },
    async () => {
      await using board = await startBoard({ serve: { engine, concurrency: 13 } })
      const sockets = await Promise.all(
        Array.from({ length: 12 }, () => dial(board.server.address)),
      )
      for (const socket of sockets) await echo(socket, 'x')
      await until(async () => (await rows(board)).length === 12)
      const page = async (query: string) =>
        (await board.ask('GET', `/api/connections?${query}`)).json as Api.ConnectionPage
      const sorted = await page('sort=peer&order=desc&limit=5&offset=2')
      assert.deepEqual([sorted.total, sorted.matched, sorted.rows.length], [12, 12, 5])
      const names = sockets.map(nameOf).toSorted().toReversed()
      assert.deepEqual(
        sorted.rows.map(({ peer }) => peer),
        names.slice(2, 7),
      )
      const filter = nameOf(sockets[3]!)
      assert.deepEqual(
        (await page(`filter=${filter}`)).rows.map(({ peer }) => peer),
        [filter],
      )
      const killed = ending(sockets[3]!)
      const { json } = await board.ask('DELETE', `/api/connections?filter=${filter}`)
      assert.deepEqual(json, { killed: 1 })
      await killed
      for (const socket of sockets.filter((_, n) => n !== 3))
        assert.equal(await echo(socket, 'still here'), 'still here')
      const ends = sockets.filter((_, n) => n !== 3).map(ending)
      assert.equal((await board.ask('DELETE', '/api/connections?all=true')).json.killed, 11)
      await Promise.all(ends)
    },
  )
}

for (const engine of ['node', 'uring', 'blocking'] as const) {
  const skip = linux || onlyFull || refusal(engine)

  test(`${engine}: of a unix socket it is known how many wait`, { skip }, async () => {
    const path = join(tmpdir(), `yodel-waiting-${engine}-${process.pid}`)
    await using server = await serve(`unix:${path}`, { engine, concurrency: 1, ledger: true })
    const observer = new Observer([{ server, concurrency: 1 }])
    const sockets = [await dial({ path }), await dial({ path }), await dial({ path })]
    const seen = async () => {
      await observer.observe()
      const { open, waiting } = observer.history.at(-1)!
      return `${open} open, ${waiting} waiting`
    }
    await until(async () => (await seen()) === '1 open, 2 waiting')
    for (const socket of sockets) socket.destroy()
    await until(async () => (await seen()) === '0 open, 0 waiting')
    await server.close('now')
  })
}

test('an event has what moved in its second, also for a lane that ends', async () => {
  await using board = await startBoard()
  const socket = await dial(board.server.address)
  const heard: Api.Lane[] = []
  /** What moved, whether the lane came with it or not. */
  const moved: number[] = []
  board.observer.onObservation(({ lanes, activity }) => {
    heard.push(...lanes)
    moved.push(...lanes.flatMap(({ activity }) => activity.map(([, bytes]) => bytes)))
    moved.push(...activity.map(([, , bytes]) => bytes))
  })
  const look = () => board.observer.observe()
  const known = () => board.observer.lanes[0]?.activity.reduce((sum, [, bytes]) => sum + bytes, 0)
  await echo(socket, 'hello')
  await until(async () => (await look(), known() === 10))
  await echo(socket, 'hi')
  socket.destroy()
  moved.length = 0
  await until(async () => (await look(), heard.at(-1)?.until != null))
  const sum = moved.reduce((total, bytes) => total + bytes, 0)
  assert.deepEqual([sum, known()], [4, 14])
})

/** For those that leave nothing behind. */
let board: Board
before(async () => {
  board = await startBoard()
})
after(() => board[Symbol.asyncDispose]())

test('a timeline is written once, however many ask for it', async () => {
  const routes = createRoutes({ observer: board.observer } as Routes.DashboardParts)
  const body = async () => (await routes.get('GET /api/timeline')!({} as never))!.body
  await board.observer.observe()
  const before = await body()
  assert.equal(await body(), before)
  await board.observer.observe()
  assert.notEqual(await body(), before)
})

test('behind a proxy both peers are shown, and either is found', { skip: onlyFull }, async () => {
  const proxy = { mode: 'require', from: ['127.0.0.0/8'] } as const
  await using board = await startBoard({ serve: { proxy: { ...proxy, from: [...proxy.from] } } })
  const socket = await dial(board.server.address)
  socket.write('PROXY TCP4 192.0.2.1 192.0.2.2 1234 7007\r\n')
  assert.equal(await echo(socket, 'hello'), 'hello')
  let found: Api.ConnectionRow[] = []
  await until(async () => (found = await rows(board, '?filter=192.0.2.1')).length === 1)
  assert.deepEqual([found[0]!.peer, found[0]!.realPeer], [nameOf(socket), '192.0.2.1:1234'])
  socket.destroy()
})

test(
  'the history has a second for each observation, and keeps 900',
  { skip: onlyFull },
  async () => {
    await using board = await startBoard()
    const socket = await dial(board.server.address)
    await echo(socket, 'hello')
    for (let n = 0; n < 902; n++) await board.observer.observe()
    const history = (await board.ask('GET', '/api/history')).json as Api.Second[]
    assert.equal(history.length, 900)
    assert.ok(history.every(({ at }, n) => n === 0 || at >= history[n - 1]!.at))
    await echo(socket, 'again')
    await board.observer.observe()
    const last = (await board.ask('GET', '/api/history')).json.at(-1) as Api.Second
    assert.deepEqual([last.echoes, last.bytesIn, last.bytesOut, last.open], [1, 5, 5, 1])
    socket.destroy()
  },
)

test('HEAD of the events is answered, and watches nothing', async () => {
  const { status, text } = await board.ask('HEAD', '/api/events')
  assert.deepEqual([status, text], [200, ''])
  assert.match((await board.ask('GET', '/metrics')).text, /^yodel_dashboard_watchers 0$/m)
})

test('a page that asks again before an answer is cut off, and watches nothing', async () => {
  const socket = await dial({ port: board.port })
  const ended = ending(socket)
  socket.write('GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(300))
  await ended
  const watchers = async () => (await board.ask('GET', '/metrics')).text
  await until(async () => /^yodel_dashboard_watchers 0$/m.test(await watchers()))
})

suite('events', () => {
  /** Counts the bytes that come, and keeps the last of them. */
  function watch(socket: Socket) {
    const seen = { bytes: 0, tail: '' }
    socket.on('data', (chunk: Buffer) => {
      seen.bytes += chunk.length
      seen.tail = (seen.tail + chunk.toString('latin1')).slice(-4_000)
    })
    return seen
  }

  async function open({ port }: { port: number }): Promise<Socket> {
    const socket = await dial({ port })
    socket.on('error', () => {})
    socket.write('GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'readable')
    return socket
  }

  test('a page that comes hears of the server at once, and then of every second', async () => {
    const socket = await open(board)
    const seen = watch(socket)
    await until(() => /event: server\ndata: \{"version"/.test(seen.tail))
    await until(() => /event: faults\ndata: \[\{"listener":0/.test(seen.tail))
    const client = await dial(board.server.address)
    await echo(client, 'x')
    await board.observer.observe()
    await until(() => /event: second\ndata: \{"at":\d+,"open":1/.test(seen.tail))
    await until(() => /event: lanes\ndata: \[\{"id":"1"/.test(seen.tail))
    client.destroy()
    socket.destroy()
  })

  const many = short(100, 5)
  const dropped = `of ${many} pages one does not read: it is dropped, the others miss nothing`
  test(dropped, async () => {
    const watchers = new Watchers()
    const web = createServer((_, response) => watchers.add(response)).listen(0, '127.0.0.1')
    await once(web, 'listening')
    const where = web.address() as AddressInfo
    const sockets = await Promise.all(Array.from({ length: many }, () => open(where)))
    const [stalled, ...others] = sockets as [Socket, ...Socket[]]
    const all = others.map(watch)
    const info = { version: 'x'.repeat(60_000) } as Api.ServerInfo
    let sent = 0
    // Until neither the system nor this process holds any more of them for it.
    while (watchers.count === many) {
      watchers.send('server', info)
      sent++
      const least = sent * 60_000
      await until(() => all.every(({ bytes }) => bytes > least))
    }
    assert.deepEqual([watchers.count, watchers.dropped], [many - 1, 1])
    // A second of a real dashboard has some hundred bytes: minutes of buffer.
    assert.ok(sent * 60_000 > 256 * 1024)
    watchers.send('second', { at: 4711 } as Api.Second)
    await until(() =>
      all.every(({ tail }) => tail.endsWith('event: second\ndata: {"at":4711}\n\n\r\n')),
    )
    assert.equal(new Set(all.map(({ bytes }) => bytes)).size, 1)
    watchers.close()
    for (const socket of sockets) socket.destroy()
    stalled.destroy()
    web.close()
  })
})
