import assert from 'node:assert/strict'
import { test } from 'node:test'
import { persistent, timesMost } from './again.ts'

/** Keeps this process from doing anything else. */
function hold(forMs: number) {
  const untilMs = performance.now() + forMs
  while (performance.now() < untilMs);
}

async function countOf(isBad: (time: number) => boolean, heldMs = 0) {
  let time = 0
  const ask = async () => {
    hold(heldMs)
    await new Promise(resolve => setImmediate(resolve))
    return ++time
  }
  const last = await persistent(ask, isBad)
  assert.equal(last, time)
  return time
}

test('what is good is asked once, what is bad once more', async () => {
  assert.equal(await countOf(() => false), 1)
  assert.equal(await countOf(time => time < 2), 2)
  // A machine that is busy now asks more often.
  assert.ok((await countOf(() => true)) >= 2)
})

test('where this process was held up it is asked more often, until it is good', async () => {
  assert.equal(await countOf(() => true, 40), timesMost)
  assert.equal(await countOf(time => time < 3, 40), 3)
})

test('an error ends it', async () => {
  const failing = () => Promise.reject(new Error('no'))
  await assert.rejects(
    persistent(failing, () => true),
    /no/,
  )
})
