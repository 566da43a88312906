import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findMaxFormat, findMaxText, type FindMaxResult, type Probe } from './find-max.ts'
import type { RunConditions } from './result.ts'

const probe = (ratePerSecond: number, held: boolean, valid = true): Probe => ({
  ratePerSecond,
  achievedPerSecond: ratePerSecond,
  held,
  measuredText: held ? '1.20ms' : '31.0ms',
  valid,
  because: [],
  p50Us: 40,
  p99Us: 1200,
  lost: 0,
})

const found: FindMaxResult = {
  format: findMaxFormat,
  objective: 'p99.9<5ms',
  ratePerSecond: 50_000,
  failedPerSecond: 52_000,
  precision: 0.05,
  limitedByGenerator: false,
  stopped: false,
  stoppedBecause: null,
  closedLoopPerSecond: 80_000,
  probes: [probe(50_000, true), probe(100_000, false), probe(52_000, false)],
  run: {
    reproduce: 'yodel bench tcp://127.0.0.1:7007 --connections 8 --rate 50000/s',
  } as RunConditions,
}
const text = (change: Partial<FindMaxResult> = {}, columns = 80) =>
  findMaxText({ ...found, ...change }, { columns, unicode: true })

test('the rate that held, the one that did not, and the probes by rate', () => {
  assert.match(text(), /p99\.9<5ms held up to 50,000\/s, and not at 52,000\/s\./)
  assert.match(text(), /A closed loop .* reached 80,000\/s\./)
  const rates = [...text().matchAll(/^ +([\d,]+)\/s/gm)].map(match => match[1])
  assert.deepEqual(rates, ['50,000', '52,000', '100,000'])
  assert.match(text(), /rate +p99\.9 +p50 +p99 +lost\n +50,000\/s +1\.20ms .* held\n/)
})

test('where the generator was the limit, the maximum is called a lower bound', () => {
  const probes = [probe(50_000, true), probe(52_000, false, false)]
  const limited = text({ limitedByGenerator: true, probes })
  assert.match(limited, /held up to 50,000\/s at least: at 52,000\/s the generator was the limit/)
  assert.match(limited, /The server may carry more/)
  assert.match(limited, /generator too slow/)
})

test('what was not found is not claimed', () => {
  const none = { ratePerSecond: 0, run: null, failedPerSecond: 10 }
  assert.match(text(none), /p99\.9<5ms did not hold even at 10\/s\./)
  assert.match(text({ ...none, limitedByGenerator: true }), /Nothing was found: .* generator/)
  const own = text({ ...none, limitedByGenerator: true })
  assert.match(own, /^INVALID: Nothing was found/)
  assert.match(text(none), /^FAIL: [^]*\nFAIL: [^\n]*\n$/)
})

test('a search that was stopped, or could not go on, does not know the highest rate', () => {
  const wide = (change: Partial<FindMaxResult>) => text({ stopped: true, ...change }, 120)
  const unknown = /^INVALID: The highest rate is not known, since the search was stopped before it/
  const early = wide({ ratePerSecond: 0, run: null, failedPerSecond: null, probes: [] })
  assert.match(early, unknown)
  assert.match(early, /No rate was tried\./)
  const none = wide({
    ratePerSecond: 0,
    run: null,
    failedPerSecond: 10,
    probes: [probe(10, false)],
  })
  assert.match(none, unknown)
  assert.match(none, /So far p99\.9<5ms held at no rate\. Tried: 10\/s\./)
  const some = wide({})
  assert.match(some, unknown)
  assert.match(some, /\nINVALID: [^\n]*\n$/)
  assert.match(some, /So far .* held up to 50,000\/s\. Tried: 50,000\/s, 52,000\/s, 100,000\/s\./)
  const gone = wide({ stoppedBecause: 'Cannot connect to :1.' })
  assert.match(
    gone,
    /^INVALID: The highest rate is not known, since the search ended before it was/,
  )
  assert.match(gone, /\nCannot connect to :1\.\n/)
  assert.doesNotMatch(gone, /was stopped/)
})

test('a rate that failed only behind what the server still had to answer is not the limit', () => {
  const late = (rate: number) => ({ ...probe(rate, false), echoUs: 3e6 })
  const behind = text({ probes: [probe(50_000, true), late(52_000)] })
  assert.match(behind, /^INVALID: .* held up to 50,000\/s at least: at 52,000\/s the\s+server was/)
  const twice = text({ probes: [probe(50_000, true), late(52_000), probe(52_000, false)] })
  assert.match(twice, /^PASS: p99\.9<5ms held up to 50,000\/s, and not at 52,000\/s/)
})

test('the text is no wider than the terminal, and its command can be copied', () => {
  for (const columns of [40, 80])
    for (const line of text({}, columns).split('\n')) assert.ok(line.length <= columns, line)
  const command = text({}, 40).slice(text({}, 40).indexOf('  yodel bench')).split('\n\n')[0]!
  assert.equal(command.replaceAll(/ \\\n */g, ' ').trim(), found.run!.reproduce)
})
