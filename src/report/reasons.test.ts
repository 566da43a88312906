/** Why a run has failed: sentences that are true for each way in which it can. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { limitsOf } from './objective.ts'
import { failureReasons } from './reasons.ts'
import { roundTripsUs, sampleResult } from './sample.suite.ts'

test('what may be lost is a share of all messages, those of the warm-up included', () => {
  const { datagrams: _, ...sample } = sampleResult()
  const messages = { ...sample.messages, planned: 100, sent: 100, received: 1, lost: 99 }
  const datagrams = { lost: 99, late: 0, duplicated: 0, reordered: 0, corrupted: 0 }
  const result = { ...sample, messages, datagrams }
  const reasonsFor = (objective: string) =>
    failureReasons(result, {
      total: { ...takeSnapshot([new Meter()]), warmupSent: 50, warmupReceived: 0 },
      window: { seconds: 1, achieved: 1, sent: 100, counted: false },
      wrong: undefined,
      intervals: [],
      threads: [],
      openLoop: false,
      countingCorruption: false,
      datagrams: true,
      limits: limitsOf([objective]),
      conditions: result.run,
    })
  assert.deepEqual(reasonsFor('loss<=100%'), [])
  assert.deepEqual(reasonsFor('loss<100%'), [])
  const warmUp = ['50 messages of the warm-up did not come back.']
  assert.deepEqual(reasonsFor('loss<=99%'), warmUp)
  assert.deepEqual(reasonsFor('lost<=100'), warmUp)
})

test('what was not sent may have been late, or its connection gone', () => {
  const unsent = (counters: object) =>
    sampleResult({
      samplesUs: { lateness: roundTripsUs(1_000) },
      options: { ratePerSecond: 100 },
      counters: { messagesPlanned: 1_100, ...counters },
    }).failedBecause.join(' ')
  assert.match(unsent({}), /100 messages could not be sent in time\./)
  assert.match(unsent({ unanswered: 1 }), /100 messages could not be sent in time\./)
  assert.match(unsent({ reset: 1 }), /100 messages could not be sent in time, or had no conn/)
})
