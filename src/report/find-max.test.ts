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
  const early = text({ ...none, failedPerSecond: null, probes: [], stopped: true })
  assert.match(early, /Nothing was found: it was stopped too early\./)
  assert.match(text({ failedPerSecond: null, stopped: true }), /held up to 50,000\/s at least\./)
})

test('the text is no wider than the terminal, and its command can be copied', () => {
  for (const columns of [40, 80])
    for (const line of text({}, columns).split('\n')) assert.ok(line.length <= columns, line)
  const command = text({}, 40).slice(text({}, 40).indexOf('  yodel bench')).split('\n\n')[0]!
  assert.equal(command.replaceAll(/ \\\n */g, ' ').trim(), found.run!.reproduce)
})
