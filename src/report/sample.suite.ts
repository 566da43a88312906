/** Results for the tests of reports: made as real ones are, of samples that the test gives. */
import type { HistogramName } from '../metrics/meter.ts'
import { counter, Meter, type CounterName } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import type { RunConditions, RunResult } from './result.ts'
import { distribution, summarize, withVerdict } from './summarize.ts'
import type { ThreadEffort } from '../load/stalls.ts'
import type { WrongBytes } from '../load/wrong-bytes.ts'

export interface Sample {
  command?: 'bench' | 'flood'
  seconds?: number
  /** Samples of the distributions, in microseconds. By default: 1,000 round trips, 4 connects. */
  samplesUs?: Partial<Record<HistogramName, number[]>>
  /** By default every message came back: as many as there are response times. */
  counters?: Partial<Record<CounterName, number>>
  wrong?: WrongBytes
  /** Added to those of ten connections in a closed loop. */
  options?: Record<string, unknown>
  run?: Partial<RunConditions>
  cpuShare?: number | null
  efforts?: ThreadEffort[]
  churnLateUs?: number
  /** What is to be different in the end; the verdict follows from its reasons. */
  change?: Partial<RunResult>
}

/** 20 µs for most, a few much slower, always the same. */
export const roundTripsUs = (count: number): number[] =>
  Array.from({ length: count }, (_, n) => 20 + (n % 97) / 4 + (n % 100 === 99 ? n : 0))

export function sampleResult(sample: Sample = {}): RunResult {
  const { command = 'bench', seconds = 10, options = {}, cpuShare = 0.25 } = sample
  const samplesUs = {
    response: roundTripsUs(1000),
    connect: [90, 110, 120, 250],
    ...sample.samplesUs,
  }
  const meter = new Meter()
  for (const [name, samples] of Object.entries(samplesUs) as [HistogramName, number[]][])
    for (const us of samples) meter.histograms[name].record(us * 1e3)
  const count = samplesUs.response.length
  const counters: Partial<Record<CounterName, number>> = {
    messagesPlanned: count,
    messagesSent: count,
    messagesReceived: count,
    bytesOut: count * 64,
    bytesIn: count * 64,
    ...sample.counters,
  }
  for (const [name, value] of Object.entries(counters) as [CounterName, number][])
    meter.counters[counter[name]] = value
  const total = takeSnapshot([meter])
  const result = summarize({
    total,
    window: {
      seconds,
      achieved: counters.messagesReceived!,
      sent: counters.messagesSent!,
      counted: false,
    },
    wrong: sample.wrong,
    intervals: [0, 1].map(second => ({
      second,
      seconds: 1,
      sent: count / 2,
      received: count / 2,
      bytesReceived: count * 32,
      errors: 0,
      ratePerSecond: count / 2,
      responseUs: distribution(total.response),
    })),
    threads: sample.efforts ?? [effort(cpuShare)],
    openLoop: typeof options.ratePerSecond === 'number',
    limits: { rate: false },
    countingCorruption: options.countCorruption === true,
    churn:
      typeof options.churnPerSecond === 'number' && options.churnPerSecond > 0
        ? { achieved: counters.churnCompleted ?? 0 }
        : undefined,
    churnLateUs: sample.churnLateUs ?? 0,
    conditions: conditions(command, options, sample.run),
  })
  return withVerdict({ ...result, ...sample.change })
}

/** Of a thread that was never held up. */
export const effort = (
  busyShare: number | null,
  change: Partial<ThreadEffort> = {},
): ThreadEffort => ({
  busyShare,
  onCpuShare: busyShare,
  queuedShare: busyShare === null ? null : 0,
  stalls: { count: 0, totalNs: 0, longest: [] },
  collections: { count: 0, totalNs: 0 },
  ...change,
})

const conditions = (
  command: 'bench' | 'flood',
  options: Record<string, unknown>,
  change: Partial<RunConditions> = {},
): RunConditions => ({
  command,
  address: 'tcp://127.0.0.1:7007',
  engine: 'node',
  threads: 1,
  seed: 1,
  options: {
    connections: 10,
    depth: 1,
    arrivals: 'even',
    sizes: [{ minBytes: 64, maxBytes: 64, weight: 1 }],
    churnPerSecond: 0,
    idle: 0,
    ...options,
  },
  reproduce: `yodel ${command} tcp://127.0.0.1:7007 --connections 10 --duration 10000ms --seed 1`,
  startedAt: '2026-01-02T03:04:05.678Z',
  versions: { yodel: '0.1.0', node: '20.20.2', v8: '11.3' },
  machine: { system: 'Linux 6.18 x64', cpu: 'A Processor', cores: 2, memoryBytes: 8e9 },
  ...change,
})
