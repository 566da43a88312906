import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { questionNames } from './question-table.ts'
import { needsOf, Time } from './time.ts'

/** What the next one would get. */
const nextOf = (time: Time, others: readonly (typeof questionNames)[number][] = []) =>
  time.spend(others, 0, leftMs => Promise.resolve(leftMs))

test('what one question takes the others have no more, and no time is given twice', async () => {
  const time = new Time(60_000)
  const before = await nextOf(time)
  assert.ok(before <= 60_000)
  await time.spend([], 0, () => sleep(30))
  const after = await nextOf(time)
  // A timer may be a little early.
  assert.ok(after <= before - 25, `${before} ${after}`)
})

test('a question that fails has used its time, too, and none is given beyond the end', async () => {
  const time = new Time(20)
  await assert.rejects(
    time.spend([], 0, async () => {
      await sleep(30)
      throw new Error('failed')
    }),
  )
  assert.equal(await nextOf(time), 0)
})

test('what the others need is kept for them, unless one needs more itself', async () => {
  const others = questionNames.filter(name => name === 'sizes' || name === 'latency')
  const needed = needsOf('sizes') + needsOf('latency')
  const time = new Time(needed + 10_000)
  const alone = await nextOf(time, others)
  assert.equal(alone, 10_000)
  const greedy = await time.spend(others, needed, leftMs => Promise.resolve(leftMs))
  assert.equal(greedy, needed)
})
