/** A load in slices: together they send what one would, and `yodel merge` says so. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { bench, type BenchOptions, type RunResult } from 'yodel'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist(undefined, { LC_ALL: 'C.UTF-8' })
const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const merge = (...args: string[]) => typed(['merge', ...args])
const pathOf = (name: string) => join(folder, name)

/** At one instant, from one program. @returns the files of its slices */
async function measure(name: string, options: BenchOptions, of = 2): Promise<string[]> {
  await using server = await listen(socket => void socket.pipe(socket))
  const startAt = new Date(Date.now() + 1_500).toISOString()
  const patient = { drainMs: 60_000, timeoutMs: 60_000 }
  const load = { warmupMs: 0, engine: 'node', startAt, ...patient, ...options } as const
  const runs = Array.from({ length: of }, (_, n) =>
    bench(server.url, { ...load, slice: `${n + 1}/${of}` }),
  )
  const results = await Promise.all(runs.map(({ finished }) => finished))
  return results.map((result, n) => {
    const path = pathOf(`${name}-${n + 1}.json`)
    writeFileSync(path, JSON.stringify(result))
    return path
  })
}

test('two slices make the result of the whole', async () => {
  const options = { count: 40, connections: 3, ratePerSecond: 1_000, depth: 40, expect: ['loss=0'] }
  const [one, two] = (await measure('open', options)) as [string, string]
  const slices = [one, two].map(path => JSON.parse(readFileSync(path, 'utf8')) as RunResult)
  // Connections 0 and 2, and connection 1, in turn.
  assert.deepEqual(
    slices.map(({ messages, part }) => [messages.received, part!.connections]),
    [
      [27, 2],
      [13, 1],
    ],
  )
  assert.deepEqual(slices[0]!.expectations, [])
  const { code, stdout, stderr } = await merge('--json', two, one, '--output', pathOf('all.html'))
  const all = JSON.parse(stdout) as RunResult
  assert.equal(code, all.valid ? 0 : 4, stderr)
  const { received, planned, lost } = all.messages
  assert.deepEqual([received, planned, lost, all.responseUs.count], [40, 40, 0, 40])
  assert.deepEqual(
    all.expectations.map(({ held }) => held),
    [true],
  )
  assert.deepEqual(
    all.run.parts!.map(({ slice, file }) => [slice, file]),
    [
      ['1/2', 'open-1.json'],
      ['2/2', 'open-2.json'],
    ],
  )
  assert.ok(!/--slice|--start-at/.test(all.run.reproduce), all.run.reproduce)
  assert.match(stderr, /wrote .*all\.html/)
  assert.match(readFileSync(pathOf('all.html'), 'utf8'), /<h2 id="slices">Slices<[^]*open-2\.json/)

  const alone = await merge(one)
  assert.equal(alone.code, 4)
  assert.match(alone.stdout, /^INVALID: Slice 2 of 2 is missing/)
  const twice = await merge(one, one)
  assert.equal(twice.code, 2)
  assert.match(twice.stderr, /are both slice 1\.$/m)
  assert.match((await merge(one, two, '-o', one)).stderr, /is one of the parts/)
})

test(
  'a closed loop shares its count, a load with stages its stages',
  { skip: onlyFull },
  async () => {
    const closed = await measure('closed', { count: 41, connections: 4, threads: 2 }, 3)
    const rounds = pathOf('rounds.json')
    writeFileSync(rounds, '{"format":"yodel-rounds-1"}')
    assert.equal((await merge(...closed, rounds)).code, 2)
    const { stdout } = await merge('--json', ...closed)
    assert.equal((JSON.parse(stdout) as RunResult).messages.received, 41)
    const stages = '0..2k/s over 40ms, 1k/s for 20ms'
    const staged = await measure('stages', { stages, connections: 4, depth: 60 })
    const merged = JSON.parse((await merge('--json', ...staged)).stdout) as RunResult
    assert.deepEqual([merged.messages.received, merged.stages?.length], [60, 2])
    assert.deepEqual(
      merged.stages!.map(({ planned, received }) => [planned, received]),
      [
        [40, 40],
        [20, 20],
      ],
    )
  },
)

test('Ctrl-C while it waits for its start leaves at once', async () => {
  let open = () => {}
  const connected = new Promise<void>(resolve => (open = resolve))
  await using server = await listen(() => open())
  const startAt = new Date(Date.now() + 3600e3).toISOString()
  await using program = yodel(['bench', server.url, '--start-at', startAt])
  await connected
  program.kill('SIGINT')
  const { code, stderr, stdout } = await program.finished
  // It may hear of its connection later than the server, and of the signal before.
  assert.match(stderr, /interrupted before .*; nothing was sent/)
  assert.deepEqual([code, stdout.length], [130, 0])
})

test('a start or a slice that makes no sense is refused', async () => {
  const said = async (...args: string[]) => {
    const { code, stderr } = await typed(['bench', 'tcp://127.0.0.1:1', ...args])
    assert.equal(code, 2)
    return stderr
  }
  assert.match(await said('--start-at', '2020-01-01T00:00:00Z'), /is past: it was .* ago\./)
  assert.match(await said('--start-at', '2020-01-01T00:00:00'), /has no zone/)
  assert.match(await said('--start-at', '2020-02-30T00:00:00Z'), /is not an instant/)
  assert.match(await said('--start-at', '2999-01-01T00:00:00+01:00'), /within the next 24 hours/)
  assert.match(await said('--slice', '3/2'), /There is no slice 3\/2/)
  assert.match(await said('--slice', '2/2'), /nothing to send: the whole load has 1 connection/)
  const single = /A slice is for a single run/
  assert.match(await said('--slice', '1/2', '--find-max', 'p99<1ms'), single)
  assert.match(await said('--slice', '1/2', '--against', 'tcp://127.0.0.1:2'), single)
  assert.match(
    await said('--start-at', '2999-01-01T00:00:00Z', '--find-max', 'p99<1s'),
    /A start is/,
  )
})
