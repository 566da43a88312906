/** Rounds for tests: made of one result, whose figures differ as the test wants. */
import { mix } from '../vocabulary/random.ts'
import type { Distribution, RunResult } from './result.ts'
import { roundsFormat, sides, type Round, type Rounds, type Side } from './rounds.ts'
import { sampleResult } from './sample.suite.ts'

/** About normal, by the sum of twelve: mean 0, deviation 1. */
export function noise(place: number): number {
  let sum = -6
  for (let n = 0; n < 12; n++) sum += mix(place * 12 + n) / 2 ** 32
  return sum
}

const base = sampleResult()

/** A run whose times are so many times as long as usual, and whose rate is the inverse of that. */
export function slowed(factor: number, index: number, change: Partial<RunResult> = {}): RunResult {
  const { responseUs: usual, rates, run } = base
  const responseUs: Distribution = {
    ...usual,
    p50: usual.p50! * factor,
    p90: usual.p90! * factor,
    p99: usual.p99! * factor,
  }
  const startedAt = new Date(Date.UTC(2026, 0, 2) + index * 3e3).toISOString()
  return {
    ...base,
    responseUs,
    rates: { ...rates, achievedPerSecond: rates.achievedPerSecond! / factor },
    run: { ...run, startedAt },
    ...change,
  }
}

export interface RoundsSample {
  count?: number
  seed?: number
  /** The deviation of each run, as a share. */
  deviation?: number
  /** By how much the subject is slower. */
  slower?: number
  change?: Partial<Rounds>
  /** What is to be different in one run. */
  spoil?: (round: number, side: Side) => Partial<RunResult>
}

export function sampleRounds(sample: RoundsSample = {}): Rounds {
  const { count = 10, seed = 1, deviation = 0.02, slower = 0, spoil, change } = sample
  const rounds = Array.from({ length: count }, (_, n): Round => {
    const first = sides[mix(seed * 1_000 + n) >>> 31]!
    const run = (side: Side) => {
      const place = n * 2 + (side === first ? 0 : 1)
      const factor = Math.exp(deviation * noise(seed * 10_000 + place))
      const share = side === 'subject' ? 1 + slower : 1
      return slowed(factor * share, place, spoil?.(n, side))
    }
    return { first, baseline: run('baseline'), subject: run('subject') }
  })
  return {
    format: roundsFormat,
    baseline: { address: 'tcp://127.0.0.1:7102', serve: null },
    subject: { address: 'tcp://127.0.0.1:7101', serve: 'node server.js' },
    orderSeed: seed,
    figures: ['rate', 'p50', 'p90'],
    margin: 0.05,
    roundsWanted: count,
    reproduce: 'yodel bench tcp://127.0.0.1:7101 --against tcp://127.0.0.1:7102',
    rounds,
    stoppedBecause: null,
    ...change,
  }
}
