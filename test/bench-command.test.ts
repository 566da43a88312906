/** What the real `yodel bench` prints and writes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { serve, type RunResult } from 'yodel'
import { onlyFull, short } from './full.ts'
import { listen, type BadServer } from './peers/server.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
let server: BadServer
before(async () => void (server = await listen(socket => void socket.pipe(socket))))
after(async () => {
  rmSync(folder, { recursive: true })
  await server[Symbol.asyncDispose]()
})

/** The same however busy the machine is. */
const brief = ['--count', '500', '--warmup', '0']

const environment = (columns: number) => ({ COLUMNS: `${columns}`, LC_ALL: 'C.UTF-8' })
/** In the short form nothing else of the output depends on it. */
const widths = short([80, 40], [40])
const typists = widths.map(columns => createTypist(undefined, environment(columns)))
const typed = typists[0]!
/** Until it ends by itself. */
const bench = (...args: string[]) => typed(['bench', ...args])

async function benchJson(...args: string[]) {
  const { code, stdout, stderr } = await bench('--json', ...args)
  return { code, stderr, result: JSON.parse(stdout) as RunResult }
}

/** A machine that is busy may hold the generator up, and then it says so. */
const passed = ({ valid }: RunResult): number => (valid ? 0 : 4)

describe('yodel bench', { concurrency: 4 }, () => {
  prints()
  streams()
  draws()
  reaches()
})

function streams() {
  test('--ndjson: seconds that add up to the result, which is the last line', async () => {
    const args = ['--duration', '2200ms', '--warmup', '50ms', '--rate', '50/s']
    const { stdout, stderr } = await bench(server.url, '--ndjson', ...args)
    const lines = stdout.trimEnd().split('\n')
    type Line = { event: string; received: number; seconds: number }
    const events = lines.map(line => JSON.parse(line) as Line)
    const intervals = events.slice(0, -1)
    const { event, ...result } = events.at(-1) as unknown as RunResult & { event: string }
    assert.equal(event, 'result')
    assert.ok(intervals.length >= 2, stdout)
    for (const { event, seconds } of intervals) {
      assert.equal(event, 'interval')
      // The rest of 200 ms is no second of its own.
      assert.ok(seconds >= 0.9, stdout)
    }
    const received = intervals.reduce((sum, interval) => sum + interval.received, 0)
    assert.equal(received, result.messages.received)
    assert.deepEqual(
      intervals.map(({ event: _event, ...interval }) => interval),
      result.intervals,
    )
    assert.equal(stderr, '')
  })

  test(
    '--ndjson: a line for each stage, before the second in which it begins',
    { skip: onlyFull },
    async () => {
      const stages = ['100/s for 1s', '50/s for 1100ms', '100/s for 50ms']
      const args = ['--warmup', '0', '--stages', stages.join(', ')]
      const { stdout } = await bench(server.url, '--ndjson', ...args)
      type Line = { event: string; number: number; stage: string; second: number; seconds: number }
      const events = stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as Line & RunResult)
      const begun = events.filter(({ event }) => event === 'stage')
      const result = events.at(-1)!
      assert.deepEqual(
        begun.map(({ number, stage, second, seconds }) => [number, stage, second, seconds]),
        result.stages!.map(({ stage, second }, n) => [n + 1, stage, second, [1, 1.1, 0.05][n]]),
      )
      for (const [at, { event, second, seconds }] of events.entries()) {
        if (event !== 'interval') continue
        const told = events.slice(0, at).filter(({ event }) => event === 'stage')
        const begins = result.stages!.filter(stage => stage.second < second + seconds - 0.1)
        assert.equal(told.length, begins.length, stdout)
      }
    },
  )
}

function prints() {
  test('--json has every key that was promised', async () => {
    const { code, stderr, result } = await benchJson(server.url, ...brief, '--connections', '2')
    const keys: Record<string, string> = {
      '': 'valid verdict rates messages bytes errors firstWrong run',
      messages: 'planned sent received lost wrong',
      bytes: 'sent received',
      errors: 'refused reset timedOut closedEarly wrongBytes nameNotFound protocol',
      run: 'address engine options seed versions machine',
    }
    for (const name of ['responseUs', 'serviceUs', 'latenessUs', 'connectUs'])
      keys[name] = 'count min mean p50 p90 p99 p999 p9999 max'
    for (const [name, wanted] of Object.entries(keys)) {
      const part = name === '' ? result : result[name as keyof RunResult]
      const there = Object.keys(part as object)
      for (const key of wanted.split(' ')) assert.ok(there.includes(key), `${name}.${key}`)
    }
    assert.equal(result.run.address, server.url)
    assert.equal(result.connectUs.count, 2)
    assert.equal(result.verdict, 'pass')
    assert.equal(stderr, '')
    assert.equal(code, passed(result))
  })

  test(
    '--output in every format at once, whole, and nothing else in the folder',
    { skip: onlyFull },
    async () => {
      const place = mkdtempSync(join(folder, 'all-'))
      const names = ['run.csv', 'run.hgrm', 'run.html', 'run.json', 'run.md', 'run.xml']
      const outputs = names.flatMap(name => ['--output', join(place, name)])
      const { code, stderr, result } = await benchJson(server.url, ...brief, ...outputs)
      assert.equal(code, passed(result))
      assert.equal(stderr, names.map(name => `yodel: wrote ${join(place, name)}\n`).join(''))
      assert.deepEqual(readdirSync(place).toSorted(), names)
      const files = names.map(name => readFileSync(join(place, name), 'utf8'))
      const [csv, hgrm, html, json, md, xml] = files
      assert.deepEqual(JSON.parse(json!), result)
      assert.equal(csv!.trimEnd().split('\n').length, 1 + result.intervals.length)
      assert.match(hgrm!, new RegExp(`Total count += +${result.responseUs.count}\\b`))
      assert.ok(/^<!doctype html>[^]*<\/html>\s*$/.test(html!))
      assert.match(md!, /^## \w+: yodel bench `tcp:/)
      assert.match(xml!, /<testsuites name="yodel" tests="2" /)
    },
  )
}

function draws() {
  test(
    'objectives that are held: exit 0, one that is missed: exit 1, and a table',
    { skip: onlyFull },
    async () => {
      const held = ['--expect', 'p90<1h', '--expect', 'loss=0', '--expect', 'rate>=1/s']
      const good = await bench(server.url, ...brief, ...held)
      assert.match(
        good.stdout,
        /\n {2}expected {4}held +p90<1h +\S+\n +held +loss=0 +0%\n +held +ra/,
      )
      assert.equal(good.code, good.stdout.startsWith('INVALID') ? 4 : 0)
      const bad = await bench(server.url, ...brief, ...held, '--expect', 'p50<1us')
      assert.match(
        bad.stdout,
        /\n {2}expected {4}held +p90<1h +\S+\n(?:.*\n)* +MISSED +p50<1us +\d/,
      )
      assert.match(bad.stdout, /\n {2}verdict {5}(FAIL: Expected p50<1us, measured \d|INVALID)/)
      assert.equal(bad.code, bad.stdout.startsWith('INVALID') ? 4 : 1)
    },
  )

  test(
    '--find-max prints the rate that it found, and what to type to measure it',
    { skip: onlyFull },
    async () => {
      const probes = ['--duration', '50ms', '--warmup', '5ms', '--drain', '40ms']
      await using slow = await slowServer(1_000)
      const flags = ['--find-max', 'p50<30ms', '--precision', '90%', ...probes]
      let tried = await bench(slow.url, ...flags)
      // On a busy machine the generator may be the limit from the first probe on.
      for (let n = 0; n < 5 && /Nothing was found|did not hold even/.test(tried.stdout); n++)
        tried = await bench(slow.url, ...flags)
      const { code, stdout, stderr } = tried
      assert.match(stdout, /^(PASS|INVALID): p50<30ms held up to [^]*\n\d+ probes?\n/)
      assert.match(
        stdout,
        /\np50<30ms held up to [\d,]+\/s(?:, and not at [\d,]+\/s\.| at least: at )/,
      )
      assert.match(stdout, /\n {2}yodel bench \S+ .*--expect 'p50<30ms' --rate \d/)
      // On a busy machine it may be the generator that cannot go on.
      assert.equal(code, stdout.includes('the generator was the limit') ? 4 : 0, stdout)
      assert.equal(stderr, '')
    },
  )

  for (const [which, columns] of widths.entries()) {
    test(`the text fits into ${columns} columns, but for what is to be copied`, async () => {
      const missed = ['--rate', '2k', '--connections', '10', '--expect', 'p99<1us']
      const beside = ['--churn', '50', '--idle', '2', '--size', '1-2k:9,64k:1']
      const args = ['bench', server.url, ...brief, ...missed, ...beside]
      const { stdout } = await typists[which]!(args)
      const lines = stdout.split('\n')
      const copied = lines.findIndex(line => /^ *reproduce/.test(line)) + 1
      assert.match(lines[copied]!, /^ *yodel bench .*--expect 'p99<1us'/)
      for (const [n, line] of lines.entries())
        if (n !== copied) assert.ok(line.length <= columns, line)
      for (const word of ['response', 'service', 'lateness', 'connect', 'verdict', 'MISSED'])
        assert.ok(
          lines.some(line => line.includes(word)),
          word,
        )
      if (columns === 80) assert.ok(lines.some(line => line.length > 60))
    })
  }
}

function reaches() {
  test('a unix socket', { skip: onlyFull }, async () => {
    await using server = await serve(`unix:${join(folder, 'socket')}`)
    const { url } = server
    const { code, result } = await benchJson(url, '--count', '300', '--warmup', '0')
    assert.deepEqual([result.messages.received, result.run.address], [300, url])
    assert.equal(code, passed(result))
  })

  test(
    '--churn and --idle: the server sees both, and the result counts them',
    { skip: onlyFull },
    async () => {
      const clients: { bytesRead: number; destroyed: boolean }[] = []
      let openIdle = 0
      await using watched = await listen(socket => {
        clients.push(socket)
        socket.on('data', (data: Buffer) => {
          openIdle = clients.filter(each => each.bytesRead === 0 && !each.destroyed).length
          socket.write(data)
        })
        socket.on('end', () => socket.end())
      })
      const beside = ['--churn', '100', '--idle', '7', '--connections', '2', '--rate', '200']
      // A busy machine may be late at the end of so short a window.
      beside.push('--warmup', '0', '--expect', 'rate>0')
      const { result } = await benchJson(watched.url, '--duration', '200ms', ...beside)
      const { churn, connectUs, run } = result
      assert.equal(churn?.planned, churn?.completed)
      assert.ok(churn!.completed > 0 && churn!.completed <= 30, JSON.stringify(churn))
      assert.equal(churn!.durationUs.count, churn!.completed)
      assert.equal(connectUs.count, 2 + 7 + churn!.completed)
      assert.equal(clients.length, connectUs.count)
      assert.equal(run.options.idle, 7)
      // They were open to the end, and nothing was ever sent on them.
      assert.ok(openIdle >= 7)
      assert.equal(clients.filter(({ bytesRead }) => bytesRead === 0).length, 7)
      assert.equal(result.verdict, 'pass')
    },
  )
}

/** So many answers per second, and not one more: else the search ends with the machine's limit. */
function slowServer(ratePerSecond: number) {
  let freeMs = 0
  return listen(socket => {
    socket.on('data', (data: Buffer) => {
      const nowMs = performance.now()
      freeMs = Math.max(freeMs, nowMs) + ((data.length / 64) * 1000) / ratePerSecond
      setTimeout(() => socket.write(data), freeMs - nowMs)
    })
    socket.on('end', () => socket.end())
  })
}
