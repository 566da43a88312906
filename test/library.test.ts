/** The README's library example, as it stands there; and what a handle promises. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { bench, connect, flood, parseAddress, serve, since, UserError, type Server } from 'yodel'
import { short } from './full.ts'
import { Program, root } from './program.ts'

test("the README's example runs", async () => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync(`${root}README.md`, 'utf8'))!
  // In the package's own folder, so that its name is found as a user's import would find it.
  const file = `${root}build/readme-example.mjs`
  // Every day not for so long.
  const times = 'durationMs: 500, warmupMs: 100'
  assert.ok(code!.includes(times), code)
  writeFileSync(file, code!.replace(times, short(times, 'count: 500, warmupMs: 10')))
  await using program = new Program(process.execPath, [file], 'ignore')
  const { code: exitCode, stdout, stderr } = await program.finished
  assert.equal(exitCode, 0, stderr)
  assert.match(stdout.toString(), /verdict: 'pass'/)
})

let server: Server
before(async () => void (server = await serve('tcp://127.0.0.1:0')))
after(() => server.close('now'))

test('echo() takes any size, and says when other bytes come back', async () => {
  await using peer = await connect(server.address)
  for (const size of [0, 1, 60_000, 2 ** 20, ...short([32 * 2 ** 20], [])]) {
    const { reply, latencyUs } = await peer.echo(Buffer.alloc(size, 'abc'))
    assert.equal(reply.length, size)
    assert.ok(latencyUs > 0)
  }
  await peer.write('more')
  peer.end()
  const rest: Uint8Array[] = []
  for await (const chunk of peer) rest.push(chunk)
  assert.equal(Buffer.concat(rest).toString(), 'more')
})

test('a server that is disposed of is closed, and its address is free again', async () => {
  let url: string
  {
    await using server = await serve(':0')
    url = server.url
    await assert.rejects(serve(url), UserError)
  }
  await using again = await serve(url)
  assert.deepEqual(again.address, parseAddress(url))
})

test('flood and bench count what came back, and snapshots subtract', async () => {
  const run = flood(server.url, { message: 'Hello!', count: 1000, connections: 3 })
  const { verdict, messages, firstWrong } = await run.finished
  assert.deepEqual([verdict, messages.received, messages.lost, firstWrong], ['pass', 1000, 0, null])
  const before = server.snapshot()
  const options = { durationMs: 30, warmupMs: 10, sizeBytes: 1000, ratePerSecond: 1000 }
  const second = await bench(server.url, options).finished
  const between = since(before, server.snapshot())
  assert.ok(second.messages.received > 0)
  assert.ok(between.bytesIn >= second.bytes.received)
})

test('what makes no sense is refused before anything starts', async () => {
  const refused: Promise<unknown>[] = [
    serve(':0', { concurrency: 0 }),
    serve(':0', { threads: 0.5 }),
    serve(':0', { idleTimeoutMs: -1 }),
    serve(':0', { drainMs: Number.NaN }),
    connect(':0'),
    flood(':1', { message: '' }).finished,
    flood(':1', { ratePerSecond: 0 }).finished,
    bench(':1', { sizeBytes: 0 }).finished,
    bench(':1', { connections: -1 }).finished,
  ]
  for (const promise of refused) await assert.rejects(promise, { kind: 'usage' })
})
