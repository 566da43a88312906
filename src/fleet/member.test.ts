import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Meter } from '../metrics/meter.ts'
import { saveSnapshot } from '../metrics/saved.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { SnapshotSum } from '../metrics/sum.ts'
import { Member } from './member.ts'
import { changesSince, pack } from './packed.ts'

test('counts that come behind the part do not count a second time', () => {
  const meter = new Meter()
  meter.histograms.response.recordMany(1_000, 7)
  const now = takeSnapshot([meter])
  const total = saveSnapshot(now)
  const totals = new SnapshotSum()
  const member = new Member({ agent: 'a', hello: { name: 'a' } as never }, 1, totals)
  member.deliver({ part: { total } } as never, { startedMs: 0, left: null })
  member.countUpTo(0)
  // A broker need not keep the order of messages that it may lose and of those that it may not.
  member.snapshot({ tick: 1, piece: 0, pieces: 1 }, pack(changesSince(undefined, now)))
  member.countUpTo(1)
  assert.deepEqual(saveSnapshot(totals.snapshot(now.atMs)), total)
})
