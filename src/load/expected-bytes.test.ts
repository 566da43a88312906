import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ExpectedBytes } from './expected-bytes.ts'

/** A stream that is neither constant nor periodic in any length that is used here. */
const stream = (length: number) => Buffer.from(Array.from({ length }, (_, n) => (n * n + n) >> 3))

/** How a stream is cut: so many bytes are sent, then up to so many come back; and so on. */
const cuts = fc.array(fc.tuple(fc.nat(300), fc.nat(300)), { maxLength: 40 })

/** Sends and receives the stream in these cuts, and checks that all is right on the way. */
function play(expectation: ExpectedBytes, steps: [number, number][]): Buffer {
  const sent = stream(steps.reduce((sum, [send]) => sum + send, 0))
  for (const [send, receive] of steps) {
    const { sentBytes, returnedBytes } = expectation
    expectation.sent(sent.subarray(sentBytes, sentBytes + send))
    const length = Math.min(receive, sentBytes + send - returnedBytes)
    const chunk = sent.subarray(returnedBytes, returnedBytes + length)
    assert.equal(expectation.firstWrong(chunk), -1)
    assert.equal(expectation.returnedBytes, returnedBytes + length)
    assert.equal(expectation.missingBytes, expectation.sentBytes - expectation.returnedBytes)
  }
  assert.equal(expectation.sentBytes, sent.length)
  return sent.subarray(expectation.returnedBytes)
}

test('the same stream is right however it is cut', () => {
  fc.assert(
    fc.property(cuts, steps => {
      const expectation = new ExpectedBytes()
      const rest = play(expectation, steps)
      assert.equal(expectation.next, rest[0])
      assert.equal(expectation.firstWrong(rest), -1)
      assert.equal(expectation.missingBytes, 0)
      assert.equal(expectation.next, undefined)
    }),
  )
})

test('a flipped bit is found where it is, and what was sent there is known', () => {
  fc.assert(
    fc.property(cuts, fc.nat(), fc.nat(7), (steps, where, bit) => {
      const expectation = new ExpectedBytes()
      const rest = play(expectation, steps)
      fc.pre(rest.length > 0)
      const { returnedBytes } = expectation
      const at = where % rest.length
      const received = Buffer.from(rest)
      received[at]! ^= 1 << bit
      assert.equal(expectation.firstWrong(received), at)
      assert.equal(expectation.returnedBytes, returnedBytes + at)
      assert.equal(expectation.next, rest[at])
    }),
  )
})

test('more than was sent is found at the first byte too many', () => {
  fc.assert(
    fc.property(cuts, fc.uint8Array({ minLength: 1, maxLength: 100 }), (steps, tooMuch) => {
      const expectation = new ExpectedBytes()
      const rest = play(expectation, steps)
      assert.equal(expectation.firstWrong(Buffer.concat([rest, tooMuch])), rest.length)
      assert.equal(expectation.missingBytes, 0)
      assert.equal(expectation.next, undefined)
    }),
  )
})
