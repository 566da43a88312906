/** What is expected of a direction, and its seconds while they pass. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { measureDirection, serve, type LoadedResult, type Server } from 'yodel'
import { onlyFull } from './full.ts'
import { mistakesIn } from './schemas.ts'
import { createTypist } from './typist.ts'

const typist = createTypist()
const short = { durationMs: 100, warmupMs: 0, ratePerSecond: 500, sizeBytes: 1_000 } as const

let paired: Server
let datagrams: Server
before(async () => {
  paired = await serve('tcp://127.0.0.1:0', { directions: true })
  datagrams = await serve('udp://127.0.0.1:0', { directions: true })
})
after(() => Promise.all([paired.close('now'), datagrams.close('now')]))

test('what is expected of each direction decides the verdict', async () => {
  const held = ['up.rate>=1kbit/s', 'up.wrong=0', 'down.gap.max<1h', 'down.rate<1Gbit/s']
  const missed = ['down.rate>1Gbit/s', 'up.gap.p99.9<1us']
  const options = { ...short, direction: 'both', durationMs: Infinity } as const
  const run = measureDirection(paired.address, { ...options, expect: [...held, ...missed] })
  await run.ready
  const enough = () => {
    const { bytesConfirmed, bytesVerified } = run.snapshot()
    return bytesConfirmed > 20_000 && bytesVerified > 20_000
  }
  const ended = run.finished.then(() => 'ended')
  while (!enough()) {
    const waited = new Promise(resolve => setTimeout(resolve, 10))
    assert.notEqual(await Promise.race([ended, waited]), 'ended')
  }
  run.stop()
  const result = await run.finished
  assert.deepEqual(mistakesIn('direction', result), [])
  const { verdict, expectations, failedBecause } = result
  assert.equal(verdict, 'fail')
  assert.deepEqual(
    expectations.map(({ objective, held }) => [objective, held]),
    [...held.map(text => [text, true]), ...missed.map(text => [text, false])],
  )
  assert.match(failedBecause[0]!, /^Expected down\.rate>1Gbit\/s, measured [\d.]+ [kM]bit\/s\.$/)
  // 50 gaps do not show that percentile.
  assert.equal(failedBecause[1], 'Expected up.gap.p99.9<1us, not known.')
})

test('datagrams: loss, order and jitter of each direction', async () => {
  const expect = [
    'up.loss=0',
    'down.lost<=0',
    'up.reordered<1k',
    'down.jitter<1h',
    'up.variation.p50<1h',
  ]
  const { failedBecause, expectations } = await measureDirection(datagrams.address, {
    ...short,
    direction: 'both',
    expect,
  }).finished
  assert.deepEqual(failedBecause, [])
  assert.equal(expectations.length, expect.length)
})

test('typed: exit 1 where it is missed, exit 2 where it makes no sense', async () => {
  const to = ['bench', paired.url, '--direction', 'up', '--duration', '100ms', '--warmup', '0']
  const missed = await typist([...to, '--rate', '500', '--expect', 'up.rate>10Gbit/s'])
  assert.equal(missed.code, 1)
  assert.match(missed.stdout, /expected +MISSED +up\.rate>10Gbit\/s/)
  const wrong: [string, RegExp][] = [
    ['down.rate>1Mbit/s', /nothing is sent down/],
    ['up.loss<1%', /is for udp/],
    ['up.speed>1', /no metric 'up\.speed' of a direction/],
    ['p99<5ms', /no metric 'p99' of a direction/],
    ['up.retransmits=none', /up\.retransmits is a number such as 0/],
    ['up.rate>10k/s', /up\.rate is a rate such as 10Mbit\/s, not '10k\/s'/],
  ]
  for (const [objective, why] of wrong) {
    const { code, stderr } = await typist([...to, '--expect', objective])
    assert.equal(code, 2, stderr)
    assert.match(stderr, why)
  }
})

const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
const eventsOf = (lines: readonly Record<string, unknown>[]) => lines.map(({ event }) => event)

test('--ndjson: a line for each second, and the result', async () => {
  const window = ['--duration', '1s', '--warmup', '0', '--rate', '100', '--size', '1000']
  const to = ['bench', paired.url, '--direction', 'both', '--ndjson', ...window]
  const { code, stdout, stderr } = await typist(to)
  assert.equal(code, 0, stderr)
  const lines = linesOf(stdout)
  assert.deepEqual(eventsOf(lines), ['interval', 'result'])
  const [interval, { event: _, ...result }] = lines as [Record<string, number>, (typeof lines)[0]]
  assert.ok(interval['upBytes']! > 0 && interval['downBytes']! > 0)
  assert.equal(interval['downBytes']! % 1000, 0)
  assert.deepEqual(mistakesIn('direction', result), [])
})

test('flood has the same options, and says how to repeat it', async () => {
  const at = `${tmpdir()}/yodel-direction-${process.pid}`
  const files = [`${at}.html`, `${at}.md`, `${at}.xml`]
  const expect = ['--expect', 'up.rate>10Gbit/s']
  // An echo has that size by default, and would not say it.
  const window = ['--duration', '100ms', '--size', '64', '--rate', '50']
  const saving = files.flatMap(file => ['--output', file])
  const to = ['flood', paired.url, '--direction', 'up', ...window, '--ndjson']
  const { code, stdout, stderr } = await typist([...to, ...expect, ...saving])
  assert.equal(code, 1, stderr)
  const [{ event, run, verdict }] = linesOf(stdout) as [Record<string, unknown>]
  assert.deepEqual([event, verdict], ['result', 'fail'])
  const { reproduce } = run as { reproduce: string }
  assert.match(reproduce, /^yodel flood \S+ --direction up /)
  for (const words of ['--duration 100ms', '--size 64', '--rate 50', "--expect 'up.rate>10Gbit/s'"])
    assert.ok(reproduce.includes(words), reproduce)
  const [page, summary, junit] = files.map(file => readFileSync(file, 'utf8'))
  for (const file of files) rmSync(file)
  assert.match(page!, /<h1>tcp:[^]*Expected up\.rate[^]*<th scope="row">arrived<\/th>/)
  assert.match(summary!, /^## FAIL: yodel flood --direction up `tcp:/)
  assert.match(junit!, /failures="1"/)
})

test('flood: what is expected of an echo, and what makes no sense', async () => {
  const echoed = ['flood', paired.url, '--count', '10', '--ndjson']
  const { code, stdout, stderr } = await typist([...echoed, '--expect', 'p50<1us'])
  assert.equal(code, 1, stderr)
  const lines = linesOf(stdout)
  assert.deepEqual(eventsOf(lines).slice(-1), ['result'])
  assert.equal(lines.at(-1)!['verdict'], 'fail')
  const wrong: [string[], RegExp][] = [
    [['--size', '5'], /--size is for --direction/],
    [['--warmup', '5s'], /--warmup is for --direction/],
    [['--output', 'x.csv'], /A flood keeps no seconds, so x\.csv would have no rows/],
    [['--json', '--ndjson'], /cannot be used together/],
    [['hello', '--direction', 'up'], /--direction sends its own bytes, no message/],
    [['--direction', 'up', '--output', 'x.csv'], /A direction cannot be written into x\.csv/],
    [['--direction', 'up', '--expect', 'p99<5ms'], /no metric 'p99' of a direction/],
  ]
  for (const [args, why] of wrong) {
    const { code, stderr } = await typist(['flood', paired.url, ...args])
    assert.equal(code, 2, stderr)
    assert.match(stderr, why)
  }
  const { stdout: help } = await typist(['flood', '--help'])
  assert.match(help, /ending decides\s+the\s+format:\s+\.hgrm,\s+\.html,/)
})

test('--load --ndjson: the seconds of each phase, and the result', { skip: onlyFull }, async () => {
  const window = ['--duration', '1s', '--warmup', '0']
  const to = ['bench', paired.url, '--load', 'up:1', '--ndjson', ...window]
  const { code, stdout, stderr } = await typist(to)
  assert.equal(code, 0, stderr)
  const lines = linesOf(stdout)
  const { event, ...result } = lines.at(-1)!
  assert.equal(event, 'result')
  assert.deepEqual(mistakesIn('loaded', result), [])
  const seconds = lines.slice(0, -1) as { phase: string; received: number; upBytes: number }[]
  const phases = [...new Set(seconds.map(({ phase }) => phase))]
  assert.deepEqual([phases[0], phases.at(-1)], ['idle', 'loaded'])
  const sum = (of: string, name: 'received' | 'upBytes') =>
    seconds.filter(({ phase }) => phase === of).reduce((total, line) => total + line[name], 0)
  assert.equal(sum('idle', 'upBytes'), 0)
  const { loaded, flows } = result as unknown as LoadedResult
  const [came, up] = [sum('loaded', 'received'), sum('loaded', 'upBytes')]
  assert.ok(came <= loaded.messages.received && up <= flows.up!.receivedBytes, `${came} ${up}`)
})
