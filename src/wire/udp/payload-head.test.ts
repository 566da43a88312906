/** The header of a datagram with payload: read as it was written, and no change of it passes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import {
  headKey,
  payloadHeadBytes,
  payloadStanding,
  readPayloadHead,
  writePayloadHead,
  writeSentNs,
} from './payload-head.ts'
import { datagramKinds } from './session.ts'

const numRuns = short(1_000, 100)
const word = fc.nat(2 ** 32 - 1)
const time = fc.double({ min: 0, noNaN: true })
const size = 60

function written(session: number, seed: number, sequence = 5, sentNs = 1e12): Buffer {
  const datagram = Buffer.alloc(size, 0xee)
  writePayloadHead(datagram, headKey(session, seed, 3), { flags: 1, sequence, sentNs })
  return datagram
}

test('it is read as it was written, and nothing beside it is touched', () => {
  const property = fc.property(fc.nat(255), word, word, word, time, fc.nat(9), (...given) => {
    const [flags, session, seed, sequence, sentNs, at] = given
    const key = headKey(session, seed, 0)
    const into = Buffer.alloc(at + payloadHeadBytes + 5, 0xee)
    writePayloadHead(into, key, { flags, sequence, sentNs: 0 }, at)
    writeSentNs(into, key, sentNs, at)
    const datagram = into.subarray(at)
    assert.deepEqual(readPayloadHead(datagram), { flags, sequence, sentNs })
    assert.deepEqual([datagram[0], datagram.readUInt32BE(4)], [datagramKinds.payload, session])
    assert.equal(payloadStanding(datagram, key, datagram.length), 'right')
    const beside = Buffer.concat([into.subarray(0, at), into.subarray(at + payloadHeadBytes)])
    assert.ok(beside.every(byte => byte === 0xee))
  })
  fc.assert(property, { numRuns })
})

test('no byte of it can change unnoticed, whatever it becomes', () => {
  const place = fc.nat(payloadHeadBytes - 1)
  const change = fc.integer({ min: 1, max: 255 })
  const property = fc.property(word, word, word, place, change, (session, seed, n, at, xor) => {
    const datagram = written(session, seed, n)
    datagram[at]! ^= xor
    assert.equal(payloadStanding(datagram, headKey(session, seed, 3), size), 'wrong')
  })
  fc.assert(property, { numRuns })
})

test('a header of which much was changed is wrong as well, and so is a header that was cut', () => {
  const key = headKey(7, 8, 3)
  const property = fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
    const datagram = written(7, 8)
    datagram.set(bytes, 8)
    assert.equal(payloadStanding(datagram, key, size), 'wrong')
  })
  fc.assert(property, { numRuns })
  for (let length = 1; length < payloadHeadBytes; length++)
    assert.equal(payloadStanding(written(7, 8).subarray(0, length), key, size), 'wrong')
  const both = written(7, 8)
  both[0] = 0
  both[9]! ^= 1
  assert.equal(payloadStanding(both, key, size), 'wrong')
})

test('what belongs to another session, or is no payload, is not its', () => {
  const key = headKey(7, 8, 3)
  assert.equal(payloadStanding(written(6, 8), key, size), 'other')
  assert.equal(payloadStanding(Buffer.alloc(0), key, size), 'other')
  for (const kind of Object.values(datagramKinds)) {
    const other = Buffer.alloc(size)
    other[0] = kind
    other.writeUInt32BE(7, 4)
    const standing = kind === datagramKinds.payload ? 'wrong' : 'other'
    assert.equal(payloadStanding(other, key, size), standing)
  }
  assert.equal(payloadStanding(written(7, 9), key, size), 'wrong')
})
