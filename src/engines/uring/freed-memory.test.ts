/** When freed memory goes back to the system. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counter, Meter } from '../../metrics/meter.ts'
import type { Libc } from '../os/libc.ts'
import { FreedMemory } from './freed-memory.ts'

test('it goes back once after traffic, and again when what rested was freed', () => {
  let trims = 0
  const libc: Pick<Libc, 'keepFreed' | 'mapFrom' | 'trimFreed'> = {
    keepFreed() {},
    mapFrom() {},
    trimFreed: () => void trims++,
  }
  const meter = new Meter()
  const freed = new FreedMemory(libc as Libc, meter, true)
  let nowMs = 0
  const rest = (ticks: number) => {
    for (let n = 0; n < ticks; n++) freed.onTick((nowMs += 100))
    return trims
  }
  meter.counters[counter.opened]! += 100
  assert.equal(rest(2), 0)
  assert.equal(rest(20), 1)
  // The buffers of connections that rest are given back without any traffic.
  freed.noteFreed()
  assert.equal(rest(20), 2)
  assert.equal(rest(20), 2)
})
