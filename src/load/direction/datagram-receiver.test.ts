/** Counts and delays of datagrams, on clocks that do not run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { headKey, payloadHeadBytes, readPayloadHead } from '../../wire/udp/payload-head.ts'
import { createPayload } from '../payload.ts'
import { DatagramReceiver, Variation } from './datagram-receiver.ts'
import { DatagramSender } from './datagram-sender.ts'

const payload = createPayload({ kind: 'seeded', seed: 5 })
const stream = { payload, flow: 3, key: headKey(9, 5, 3), sizeBytes: 120 }
const received = (warmupMs = 0) => new DatagramReceiver(stream, warmupMs, 0)

/** So many datagrams, a millisecond apart. */
function sent(count: number, warmupMs = 0): Buffer[] {
  const sender = new DatagramSender(stream, { ratePerSecond: 1000, warmupMs })
  sender.begin(0)
  return Array.from({ length: count }, (_, n) => sender.take(n * 1e6)!)
}

test('what is lost, doubled and overtaken is counted, in whatever order it comes', () => {
  const datagrams = sent(60)
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 59 }), { maxLength: 100 }), order => {
      const receiver = received()
      let highest = -1
      const seen = new Set<number>()
      let [duplicated, reordered] = [0, 0]
      for (const [at, n] of order.entries()) {
        receiver.take(datagrams[n]!, at)
        if (seen.has(n)) duplicated++
        else if (n < highest) reordered++
        seen.add(n)
        highest = Math.max(highest, n)
      }
      const { end, bytes, wrongBytes } = receiver.lastReport
      assert.deepEqual([bytes, wrongBytes], [seen.size * 120, 0])
      const { measured, ...counts } = end!.datagrams!
      assert.deepEqual(
        [measured, counts.duplicated, counts.reordered],
        [seen.size, duplicated, reordered],
      )
    }),
  )
})

test('jitter and variation of a delay that alternates by 2 ms', () => {
  const receiver = received()
  for (const [n, datagram] of sent(1000).entries()) receiver.take(datagram, n + 5 + (n % 2) * 2)
  const { jitterUs, variation, between } = receiver.lastReport.end!.datagrams!
  assert.ok(Math.abs(jitterUs - 2000) < 1, `${jitterUs}`)
  assert.deepEqual(
    variation.buckets.map(([, count]) => count),
    [500, 500],
  )
  assert.ok(Math.abs(variation.sumNs - 500 * 2e6) < 500 * 200)
  assert.ok(between.buckets.every(([, count]) => count === 999))
})

test('the least delay may come last, and clocks may differ by hours', () => {
  const variation = new Variation()
  const offset = -3.6e12
  for (const ms of [5, 3, 9, 1, 1, 2]) variation.record(offset + ms * 1e6)
  const [least, median, most] = variation.histogram.quantiles([0, 0.5, 1])
  assert.ok(least! < 1e3 && Math.abs(median! - 1e6) < 2e4 && Math.abs(most! - 8e6) < 2e4)
})

test('the warm-up and a stop of the sender', () => {
  const sender = new DatagramSender(stream, { ratePerSecond: 1000, warmupMs: 10 })
  sender.begin(0)
  for (let ms = 0; ms < 20; ms++) assert.ok(sender.take(ms * 1e6))
  assert.equal(sender.take(19e6), undefined)
  assert.deepEqual([sender.datagrams, sender.measured, sender.skipped], [20, 10, 0])
  // After a second it sends what was due in the last 100 ms, and not all at once what was before.
  let made = 0
  while (sender.take(1_020e6)) made++
  assert.ok(made >= 100 && made <= 102, `${made}`)
  assert.ok(sender.skipped >= 898)
})

test('other bytes are wrong, whatever they are', () => {
  const [first] = sent(1)
  fc.assert(
    fc.property(fc.nat({ max: 95 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const receiver = received()
      const datagram = Buffer.from(first!)
      datagram[payloadHeadBytes + at]! ^= change
      assert.equal(receiver.take(datagram, 0), 1)
      assert.equal(receiver.lastReport.end!.firstWrong!.offset, at)
    }),
  )
  received().take(Buffer.alloc(3), 0)
})

test('what was cut or made longer is wrong by as many bytes, and right to there', () => {
  const [, second] = sent(2)
  const grown = Buffer.concat([second!, Buffer.alloc(7)])
  for (const [datagram, wrong, at] of [
    [second!.subarray(0, 100), 20, 100 - payloadHeadBytes],
    [grown, 7, 120 - payloadHeadBytes],
  ] as const) {
    const receiver = received()
    assert.equal(receiver.take(datagram, 0), wrong)
    const { end, bytes } = receiver.lastReport
    assert.equal(end!.firstWrong!.offset, 120 - payloadHeadBytes + at)
    assert.equal(bytes, Math.min(120, datagram.length))
  }
})

test('a header that was changed on the way spoils no figure but its own', () => {
  const datagrams = sent(60, 10)
  const place = fc.tuple(fc.nat(59), fc.nat(payloadHeadBytes * 8 - 1))
  fc.assert(
    fc.property(fc.array(place, { maxLength: 9 }), places => {
      const [receiver, other] = [received(10), received(10)]
      const damaged = new Map(places)
      for (const [n, datagram] of datagrams.entries()) {
        const bit = damaged.get(n)
        const came = Buffer.from(datagram)
        if (bit !== undefined) came[bit >> 3]! ^= 1 << (bit & 7)
        receiver.take(came, n + 5)
        if (bit === undefined) other.take(datagram, n + 5)
      }
      const { wrongBytes, bytes, end } = receiver.lastReport
      const { wrong, wrongHeads, ...rest } = end!.datagrams!
      assert.deepEqual([wrong, wrongBytes, bytes], [damaged.size, damaged.size, other.bytes])
      // Whether one belonged to the warm-up follows from the one before it.
      const measured = [...damaged.keys()].filter(n => n >= 10).length
      assert.ok(wrongHeads <= measured && wrongHeads >= measured - damaged.size, `${wrongHeads}`)
      if (!damaged.has(10)) assert.equal(wrongHeads, measured)
      const { wrong: _, wrongHeads: none, ...right } = other.lastReport.end!.datagrams!
      assert.deepEqual([none, rest], [0, right])
    }),
  )
})

test('datagrams that had to wait for the system are as late as they were sent, and say so', () => {
  const sender = new DatagramSender(stream, { ratePerSecond: 1000, warmupMs: 0 })
  sender.begin(0)
  const room = Buffer.alloc(4 * 120)
  // Four are due, a millisecond apart; the system has room for them 6 ms after they were made.
  const made = sender.takeInto(room, 3e6)
  sender.stampAgain(room, made * 120, 9e6)
  sender.sent(9e6)
  assert.deepEqual([made, sender.lateness.count], [4, 4])
  const [least, most] = sender.lateness.quantiles([0.01, 0.99]) as [number, number]
  assert.ok(Math.abs(least - 6e6) < 0.1e6 && Math.abs(most - 9e6) < 0.1e6, `${least} ${most}`)
  for (let n = 0; n < made; n++) assert.equal(readPayloadHead(room.subarray(n * 120)).sentNs, 9e6)
})
