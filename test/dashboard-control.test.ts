/** What can be changed from the dashboard, and that clients notice. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, suite, test } from 'node:test'
import { serve } from 'yodel'
import { WebSocket } from 'ws'
import type * as Api from '../src/dashboard/api.ts'
import { onlyFull } from './full.ts'
import { dial, echo, until } from './client.ts'
import { startBoard, type Board } from './dashboard.ts'

/** Sends over the console of the page, and waits for its reply. */
async function say(socket: WebSocket, message: string): Promise<Api.ConsoleReply> {
  socket.send(message)
  const [data] = (await once(socket, 'message')) as [Buffer]
  return JSON.parse(data.toString()) as Api.ConsoleReply
}

async function openConsole(board: Board): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${board.port}/api/console?listener=0`)
  await once(socket, 'open')
  return socket
}

const put = (board: Board, ...faults: string[]) =>
  board.ask('PUT', '/api/faults', { body: { faults } })

/** Without faults; one after the other they leave it as it was. */
let plain: Board
before(async () => {
  plain = await startBoard()
})
after(() => plain[Symbol.asyncDispose]())

suite('faults', () => {
  let board: Board
  let typed: WebSocket
  before(async () => {
    board = await startBoard({
      faults: ['slice=3'],
      serve: { faults: [{ kind: 'slice', minBytes: 3, maxBytes: 3 }] },
    })
    typed = await openConsole(board)
  })
  after(async () => {
    typed.terminate()
    await board[Symbol.asyncDispose]()
  })

  test('a delay shows in the console at once, and until it is taken away', async () => {
    const quick = await say(typed, 'quick')
    assert.deepEqual([quick.text, quick.wrong, quick.error], ['quick', false, null])
    const { status, json } = await put(board, 'delay=150ms')
    assert.equal(status, 200)
    assert.deepEqual(json[0].faults, ['delay=150ms'])
    assert.equal(
      json[0].command,
      `yodel serve ${board.server.url} --engine node --fault delay=150ms`,
    )
    assert.ok((await say(typed, 'slow')).roundTripUs >= 150_000)
    await put(board)
    // A busy machine may hold one up for as long, but not all of them.
    await until(async () => (await say(typed, 'quick')).roundTripUs < 150_000)
  })

  test('wrong bytes are shown as such; after a peer that hangs up it goes on', async () => {
    await put(board, 'corrupt=100%')
    const { text, wrong, error } = await say(typed, '<b>')
    assert.deepEqual([wrong, error], [true, null])
    assert.notEqual(text, '<b>')
    await put(board, 'truncate=0')
    assert.match(
      (await say(typed, 'hello')).error!,
      /closed the connection before all had come back/,
    )
    await put(board)
    assert.equal((await say(typed, '\u0007<script>')).text, '\\x07<script>')
    assert.match((await say(typed, '')).error!, /message is empty/)
  })

  test('a list with a mistake changes nothing; DELETE is back to the beginning', async () => {
    await put(board, 'delay=1ms')
    assert.equal((await put(board, 'delay=2ms', 'nonsense')).status, 400)
    assert.deepEqual((await board.ask('GET', '/api/faults')).json[0].faults, ['delay=1ms'])
    assert.equal((await put(board, ...Array<string>(21).fill('delay=1ms'))).status, 400)
    assert.deepEqual((await board.ask('DELETE', '/api/faults')).json[0].faults, ['slice=3'])
  })

  test('where there can be none, the reason says what to do', async () => {
    const { status, json } = await put(plain, 'delay=1ms')
    assert.equal(status, 409)
    assert.match(json.error, /Start it with --engine node to inject some/)
    const [listener] = ((await plain.ask('GET', '/api/server')).json as Api.ServerInfo).listeners
    assert.equal(listener!.faultsFixedBecause, json.error)
  })
})

test('of several listeners all take them, or none', { skip: onlyFull }, async () => {
  await using messages = await serve('ws://127.0.0.1:0', { engine: 'node', faults: [] })
  await using stream = await serve(':0', { engine: 'node', faults: [] })
  const listeners = [messages, stream].map(server => ({ server, faults: [] }))
  await using both = await startBoard({ listeners })
  assert.equal((await put(both, 'drop=10%')).status, 400)
  const texts = async () =>
    (await both.ask('GET', '/api/faults')).json.map(({ faults }: Api.ListenerFaults) => faults)
  assert.deepEqual(await texts(), [[], []])
  assert.equal((await put(both, ' delay=1ms\n')).status, 200)
  assert.deepEqual(await texts(), [['delay=1ms'], ['delay=1ms']])
})

suite('benches', () => {
  const start = (body: object) => plain.ask('POST', '/api/benches', { body })
  const finished = async (id: string) => {
    let run: Api.BenchRun | undefined
    await until(async () => {
      const runs = (await plain.ask('GET', '/api/benches')).json as Api.BenchRun[]
      run = runs.find(run => run.id === id)
      return run?.state !== 'running'
    })
    return run!
  }

  test('one finishes with a result, a page, and a comparison', { skip: onlyFull }, async () => {
    const wanted = {
      address: plain.server.url,
      connections: 2,
      // A closed loop: a p99 takes 1,000 samples.
      durationMs: 400,
    }
    const first = await start(wanted)
    assert.deepEqual([first.status, first.json.state], [201, 'running'])
    const busy = await start(wanted)
    assert.equal(busy.status, 409)
    assert.match(busy.json.error, /Bench 1 is running/)
    assert.equal((await plain.ask('GET', '/api/benches/1')).status, 409)
    const run = await finished('1')
    assert.deepEqual([run.state, run.verdict, run.error], ['finished', 'pass', null])
    assert.ok(run.received > 0 && run.achievedPerSecond > 0)
    // Known from 1,000 samples on.
    assert.equal(run.p99Us !== null, run.received >= 1_000)
    const { json } = await plain.ask('GET', '/api/benches/1')
    assert.equal(json.messages.received, run.received)
    const page = await plain.ask('GET', '/api/benches/1/report')
    assert.match(page.text, /^<!doctype html>/i)
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'.*sandbox/)
    await start(wanted)
    await finished('2')
    const compared = await plain.ask('GET', '/api/benches/compare?a=1&b=2')
    assert.match(compared.text, /^baseline: bench 1,/m)
    assert.match(compared.text, /bench 2,/)
    const runs = (await plain.ask('GET', '/api/benches')).json as Api.BenchRun[]
    assert.deepEqual(
      runs.map(({ id }) => id),
      ['2', '1'],
    )
  })

  test('one that is ended early has a result', async () => {
    const { json } = await start({
      address: plain.server.url,
      durationMs: 60_000,
      ratePerSecond: 500,
    })
    await until(() => plain.server.counts().chunks > 0)
    assert.equal((await plain.ask('DELETE', `/api/benches/${json.id}`)).status, 202)
    assert.equal((await finished(json.id)).state, 'finished')
  })
})

test('a bench goes nowhere else, and has bounds, unless it was allowed', async () => {
  const board = plain
  await using free = await startBoard({ server: board.server, benchAnywhere: true })
  await using other = await serve(':0', { engine: 'node' })
  const start = (body: object) => board.ask('POST', '/api/benches', { body })
  const foreign = await start({ address: other.url })
  assert.equal(foreign.status, 403)
  assert.match(foreign.json.hint, /--dashboard-bench-anywhere/)
  assert.equal(other.counts().opened, 0)
  const limits = {
    connections: 1001,
    durationMs: 300_001,
    sizeBytes: 2 ** 20 + 1,
    achievedPerSecond: 0,
  }
  for (const [name, value] of Object.entries(limits))
    assert.equal((await start({ address: board.server.url, [name]: value })).status, 400, name)
  assert.equal((await start({ address: 'nonsense' })).status, 400)
  const body = { address: other.url, durationMs: 50, ratePerSecond: 100 }
  assert.equal((await free.ask('POST', '/api/benches', { body })).status, 201)
  await until(() => other.counts().opened > 0)
})

test('draining: no longer ready, and the open pages are told', async () => {
  // It is the last one.
  const board = plain
  assert.equal((await board.ask('GET', '/readyz')).status, 200)
  const client = await dial(board.server.address)
  assert.equal(await echo(client, 'x'), 'x')
  const { status } = await board.ask('POST', '/api/drain')
  assert.deepEqual([status, board.drained], [202, true])
  assert.equal((await board.ask('GET', '/readyz')).status, 503)
  assert.equal((await board.ask('GET', '/healthz')).status, 200)
  assert.equal(((await board.ask('GET', '/api/server')).json as Api.ServerInfo).draining, true)
  client.destroy()
})
