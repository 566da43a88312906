/** Results of all kinds, for the tests of reports. */
import { type Sample, roundTripsUs } from './sample.suite.ts'

export const wrong = {
  connection: 3,
  offset: 1234,
  before: Buffer.from('right bytes here'),
  expected: Buffer.alloc(32, 'Hello, world'),
  received: Buffer.from('Hellø, w\u001b[31m'),
  cause: 'corrupted',
  detail: '2 bytes differ, and what follows is right again.',
} as const
export const openLoop: Sample = {
  samplesUs: {
    service: roundTripsUs(1000),
    lateness: roundTripsUs(1000).map(us => us / 30),
    churn: roundTripsUs(20),
  },
  options: {
    ratePerSecond: 5000,
    arrivals: 'poisson',
    depth: 16,
    churnPerSecond: 2,
    idle: 1000,
    sizes: [
      { minBytes: 16, maxBytes: 64, weight: 1 },
      { minBytes: 1000, maxBytes: 1000, weight: 2 },
    ],
  },
  counters: { messagesPlanned: 1005, messagesSent: 1004, churnPlanned: 20, churnCompleted: 19 },
}
const invalidBecause = [
  'The generator was the limit: its thread was busy for 99 % of the time, so the server may do.',
  'Another reason — and a longwordlongwordlongwordlongwordlongwordlongword of no help.',
]
const expectations = [
  { objective: 'p99<5ms', measured: 1200, measuredText: '1.20ms', held: true },
  { objective: 'rate>=1000000/s', measured: 100, measuredText: '100/s', held: false },
]
export const missed = expectations[1]!
const notes = ['900 of 6,000 messages were deferred while others were in flight (4 × 2).']
export const reportSamples: Record<string, Sample> = {
  'a closed loop': {},
  'an open loop with all there is': openLoop,
  'a flood': { command: 'flood' },
  'an invalid run': { ...openLoop, change: { invalidBecause, notes } },
  'wrong bytes': { wrong, counters: { wrongBytes: 1, reset: 2, messagesPlanned: 1001 } },
  'bytes that did not come': { wrong: { ...wrong, received: Buffer.alloc(0) } },
  objectives: { change: { expectations, failedBecause: ['Expected this, measured that.'] } },
  'no sample at all': { samplesUs: { response: [], connect: [] } },
  'one sample': { samplesUs: { response: [1e6], connect: [4e9] } },
  'a long address': { run: { address: `unix:/${'directory/'.repeat(12)}Grüezi` } },
}
