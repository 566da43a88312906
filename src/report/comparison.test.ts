import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barBlock, wrap } from './bars.ts'
import { comparisonJson, comparisonText } from './comparison.ts'
import { conclusions } from './conclusion.ts'
import {
  isRight,
  medianOfRounds,
  type EngineComparison,
  type ModelResult,
  type ModelRound,
} from './models.ts'

const round = (change: Partial<ModelRound> = {}): ModelRound => ({
  servedClients: 50,
  echoes: 120_000,
  seconds: 3,
  ratePerSecond: 40_000,
  p50Us: 400,
  p99Us: 1_300,
  cpuPerEchoUs: 10,
  memoryPerClientBytes: 12_000,
  startMs: 200,
  admissionMs: 15,
  loadCpuShare: 0.5,
  failures: {},
  ...change,
})

const model = (
  name: string,
  label: string,
  rounds: ModelRound[],
  change: Partial<ModelResult> = {},
): ModelResult => ({ name, label, engine: 'node', concurrency: Infinity, rounds, ...change })

const comparison = (models: ModelResult[]): EngineComparison => ({
  connections: 50,
  sizeBytes: 64,
  durationMs: 3_000,
  roundsWanted: 1,
  interrupted: false,
  machine: { processor: 'A Processor', cores: 2, system: 'Linux 6.18', node: '20.20.2' },
  models,
})

const all = comparison([
  model('one', 'one at a time', [round({ servedClients: 1, memoryPerClientBytes: -4096 })]),
  model('threads', 'thread per client', [
    round({ cpuPerEchoUs: 23, memoryPerClientBytes: 9e6, admissionMs: 3_200 }),
  ]),
  model('pool', 'pool of 32', [round({ servedClients: 32, ratePerSecond: 1_234_567 })]),
  model('node', 'event loop', [round({ loadCpuShare: 0.97 })]),
  model('uring', 'io_uring', [], { unavailable: 'io_uring needs FFI.' }),
])

for (const columns of [40, 80, 120]) {
  for (const unicode of [true, false]) {
    test(`it fits in ${columns} columns, ${unicode ? 'with blocks' : 'in ASCII'}`, () => {
      const text = comparisonText(all, { columns, unicode })
      for (const line of text.split('\n')) assert.ok(line.length <= columns, line)
      assert.equal(/^[\n -~]*$/.test(text), !unicode)
      // The longest bar of a block ends at the right edge.
      const full = text.split('\n').filter(line => /[█#]$/.test(line) && line.length === columns)
      assert.ok(full.length >= 6, text)
    })
  }
}

test('bars are as long as their values, to an eighth, and never vanish', () => {
  const bars = [8, 4, 1.5, 1, 1e-6, 0, undefined].map(value => ({ label: 'x', value, text: 'y' }))
  const drawn = (unicode: boolean) =>
    barBlock('t', bars, { columns: 8 + 8, unicode }).map(line => line.slice(8))
  assert.deepEqual(drawn(true), ['', '████████', '████', '█▌', '█', '▏', '', ''])
  assert.deepEqual(drawn(false), ['', '########', '####', '##', '#', '#', '', ''])
})

test('wrapping breaks between words only', () => {
  assert.deepEqual(wrap('one two three incomprehensible', 9), [
    'one two',
    'three',
    'incomprehensible',
  ])
})

test('the conclusions say what the figures say', () => {
  assert.deepEqual(conclusions(all), [
    'One at a time served 1 of 50 clients: the other 49 waited until that client left.',
    'A thread per client served all 50 clients at the same time; the pool of 32 served 32, and ' +
      'let 18 wait.',
    'Compared with the event loop, a thread per client had about the same rate and 2.3 times the ' +
      'CPU per echo. A client took 9 MB of memory (event loop: 12 kB), and it took 3.20s until ' +
      'all its threads had started.',
    'The load generator was the limit (event loop): the server could do more than that rate.',
    'Measured once: another run may give another result.',
  ])
})

test('what is not known is left out of the conclusions', () => {
  const unknown = { cpuPerEchoUs: undefined, memoryPerClientBytes: undefined }
  const told = conclusions(
    comparison([
      model('threads', 'thread per client', [round({ ...unknown, ratePerSecond: 20_000 })]),
      model('node', 'event loop', [round(unknown)]),
    ]),
  )
  assert.equal(
    told.at(-2),
    'Compared with the event loop, a thread per client had 0.50 times the rate. ' +
      'It took 15ms until all its threads had started.',
  )
  assert.deepEqual(conclusions(comparison([])), [])
})

test('rounds that overlap make no difference', () => {
  const rates = (...values: number[]) => values.map(ratePerSecond => round({ ratePerSecond }))
  const told = (uring: number[]) =>
    conclusions(
      comparison([
        model('node', 'event loop', rates(10, 11, 20)),
        model('uring', 'io_uring', rates(...uring)),
      ]),
    )[0]
  assert.match(told([15, 16, 17])!, /had about the same rate/)
  assert.match(told([21, 22, 23])!, /had 2\.0 times the rate/)
})

test('medians ignore what is not known', () => {
  const of = (...values: (number | undefined)[]) =>
    medianOfRounds(
      model(
        'node',
        'x',
        values.map(p50Us => round({ p50Us })),
      ),
      'p50Us',
    )
  assert.equal(of(3, 1, 2), 2)
  assert.equal(of(4, undefined, 1), 2.5)
  assert.equal(of(undefined), undefined)
})

test('waiting and refusing are no failures; wrong bytes are, and so is a server that dies', () => {
  assert.ok(isRight(all))
  const wrong = comparison([model('node', 'event loop', [round({ failures: { wrongBytes: 1 } })])])
  assert.ok(!isRight(wrong))
  assert.match(comparisonText(wrong, { columns: 80, unicode: true }), /FAILED: event loop: wrong/)
  const dead = comparison([model('node', 'x', [], { unavailable: 'It died.', failed: true })])
  assert.ok(!isRight(dead))
  assert.match(comparisonText(dead, { columns: 80, unicode: true }), /FAILED: x: It died\./)
})

test('the document has a null for what is not known', () => {
  const { verdict, models } = JSON.parse(comparisonJson(all)) as {
    verdict: string
    models: Record<string, unknown>[]
  }
  assert.equal(verdict, 'pass')
  assert.deepEqual(models.at(-1), {
    name: 'uring',
    label: 'io_uring',
    engine: 'node',
    concurrency: 'unlimited',
    unavailable: 'io_uring needs FFI.',
    servedClients: null,
    ratePerSecond: null,
    roundTripUs: { p50: null, p99: null },
    cpuPerEchoUs: null,
    memoryPerClientBytes: null,
    startMs: null,
    admissionMs: null,
    loadCpuShare: null,
    failures: {},
    rounds: [],
  })
})
