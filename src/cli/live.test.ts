/** A run as lines of JSON, against a real server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchHere, flood, type LoadRun } from '../bench.ts'
import { onlyFull } from '../full.suite.ts'
import { resultLine } from '../report/ndjson.ts'
import type { Interval } from '../report/result.ts'
import { serve } from '../serve.ts'
import { streamIntervals } from './live.ts'

const keys =
  'event second seconds ratePerSecond sent received bytesReceived errors responseUs'.split(' ')

/** The lines that were printed while the run went on, parsed, and what it found out. */
async function stream(run: LoadRun) {
  const lines: string[] = []
  // A flood goes on for ever, so every line printed before the stop was printed during the run.
  streamIntervals(run, text => {
    lines.push(text)
    run.stop()
  })
  const result = await run.finished
  for (const line of lines) assert.match(line, /^\{.*\}\n$/)
  const intervals = lines.map(line => JSON.parse(line) as Interval & { event: string })
  return { intervals, result }
}

test(
  'each second is printed as soon as it is over, and all before the result',
  {
    // That of the program itself is cheaper: --ndjson in test/bench-command.test.ts.
    skip: onlyFull,
  },
  async () => {
    const server = await serve('tcp://127.0.0.1:0')
    const [benched, flooded] = await Promise.all([
      stream(benchHere(server.address, { warmupMs: 50, durationMs: Infinity, ratePerSecond: 100 })),
      stream(flood(server.address, { ratePerSecond: 100 })),
    ])
    await server.close()
    for (const { intervals, result } of [benched, flooded]) {
      assert.ok(intervals.length >= 1)
      for (const interval of intervals) {
        assert.deepEqual(Object.keys(interval), keys)
        assert.equal(interval.event, 'interval')
      }
      const received = intervals.reduce((sum, interval) => sum + interval.received, 0)
      // Sending threads begin a little before the thread that counts the seconds.
      const all = result.messages.received
      assert.ok(received <= all && received > all / 2, `${received} of ${all}`)
      const last = JSON.parse(resultLine(result)) as object
      assert.deepEqual(last, { event: 'result', ...JSON.parse(JSON.stringify(result)) })
    }
    assert.deepEqual(
      benched.intervals,
      benched.result.intervals.map(interval => ({ event: 'interval', ...interval })),
    )
    // An endless run would fill the memory with them.
    assert.deepEqual(flooded.result.intervals, [])
  },
)
