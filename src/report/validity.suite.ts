/** Cases of a generator that was held up, and what is said of each: a table of docs/validity.md. */
import type { ThreadEffort } from '../load/stalls.ts'
import { judge } from './judge.ts'
import type { RunResult } from './result.ts'
import { effort, sampleResult, type Sample } from './sample.suite.ts'

/** An echo of the server itself. */
const quickUs = 80

interface Case {
  what: string
  expect?: string[]
  sample: Sample
}

/** Round trips of a quiet server. */
const quick = (count: number) => Array.from({ length: count }, (_, n) => 60 + (n % 97) / 4)

/** Held up once in a window, for so long. */
const stalled = (ms: number): ThreadEffort =>
  effort(0.3, {
    stalls: { count: 1, totalNs: ms * 1e6, longest: [[4e9, ms * 1e6]] },
  })

/** Samples, of which some were in flight during a stall. */
function samplesUs(count: number, touchedUs: number[]): Sample['samplesUs'] {
  const untouched = quick(count - touchedUs.length)
  return {
    response: [...untouched, ...touchedUs],
    responseTouched: touchedUs,
    responseLess: touchedUs.map(() => quickUs),
  }
}

/** An open loop of 1,000/s: each message that became due in the stall waited for its end. */
const dueIn = (ms: number) => Array.from({ length: ms }, (_, n) => (n + 1) * 1e3)
const openLoop = { ratePerSecond: 1_000, connections: 1 }
const slow = samplesUs(10_000, dueIn(250))!
const slowOpen = { ...slow, service: quick(10_000), lateness: quick(10_000) }

/** The same of short connections. */
function shortUs(name: 'connect' | 'churn'): Sample['samplesUs'] {
  const { response, responseTouched, responseLess } = slow
  return {
    [name]: response,
    [`${name}Touched`]: responseTouched,
    [`${name}Less`]: responseLess,
  }
}

export const cases: Case[] = [
  { what: 'quiet', sample: { samplesUs: samplesUs(10_000, []) } },
  {
    what: 'closed loop, 10 connections, 10 s: the generator is stopped for 500 ms',
    sample: {
      efforts: [stalled(500)],
      samplesUs: samplesUs(
        100_000,
        Array.from({ length: 10 }, () => 500e3),
      ),
    },
  },
  {
    what: 'closed loop, 1 s: the same',
    sample: {
      seconds: 1,
      efforts: [stalled(500)],
      samplesUs: samplesUs(
        10_000,
        Array.from({ length: 10 }, () => 500e3),
      ),
    },
  },
  {
    what: 'closed loop, 10 s: the same, but the kernel said when the replies came',
    sample: { efforts: [stalled(500)], samplesUs: samplesUs(100_000, []) },
  },
  {
    what: 'the same for 10 min',
    sample: { seconds: 600, efforts: [stalled(500)], samplesUs: samplesUs(100_000, []) },
  },
  {
    what: "open loop, 1,000/s for 10 s: stopped for 250 ms; `--expect 'p99.9<100ms'`",
    expect: ['p99.9<100ms'],
    sample: { options: openLoop, efforts: [stalled(250)], samplesUs: slowOpen },
  },
  {
    what: 'the same, but the server stood still; the same objective',
    expect: ['p99.9<100ms'],
    sample: { options: openLoop, samplesUs: { ...slowOpen, responseTouched: [] } },
  },
  {
    what: 'closed loop: three busy processes on its core',
    sample: {
      efforts: [effort(0.24, { queuedShare: 0.74 })],
      samplesUs: samplesUs(
        10_000,
        Array.from({ length: 300 }, () => 9e3),
      ),
    },
  },
  {
    what: 'kept from its processor now and then, for 4 ms',
    sample: {
      efforts: [
        effort(0.3, {
          stalls: { count: 3, totalNs: 12e6, longest: [[1e9, 4e6]] },
          queuedShare: 0.01,
        }),
      ],
      samplesUs: samplesUs(
        10_000,
        Array.from({ length: 30 }, () => 4e3),
      ),
    },
  },
  {
    what: 'churn, 1,000/s for 10 s: stopped for 250 ms; `--expect churn.p99.9<100ms`',
    expect: ['churn.p99.9<100ms'],
    sample: {
      options: { connections: 0, churnPerSecond: 1_000 },
      efforts: [stalled(250)],
      counters: { churnPlanned: 10_000, churnCompleted: 10_000 },
      samplesUs: { response: [], ...shortUs('connect'), ...shortUs('churn') },
    },
  },
]

export const resultOf = ({ sample, expect = [] }: Case): RunResult => {
  const result = sampleResult(sample)
  return judge(result, expect)
}

/** `p99.9, max`; what is said; and the verdict with its exit code. */
export function validityRows(): string[][] {
  return cases.map(one => {
    const { generator, valid, verdict, notes, invalidBecause, failedBecause } = resultOf(one)
    const marked = generator.own!.map(({ figure }) => figure)
    const said = [...invalidBecause, ...failedBecause, ...notes]
    const code = valid ? (verdict === 'fail' ? 'FAIL, 1' : 'PASS, 0') : 'INVALID, 4'
    return [one.what, marked.join(', '), code, said.join(' ')]
  })
}
