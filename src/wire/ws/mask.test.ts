/** Masks against what RFC 6455 section 5.3 says of each byte. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { copyMasked, Memory, unmask } from './mask.ts'

const bounds = [0, 1, 3, 4, 5, 255, 256, 257, 1_023, 1_024, 1_025, 2_047, 2_048, 2_049, 4_097]
const lengths = fc.oneof(fc.constantFrom(...bounds), fc.nat(6_000))
const masks = fc.oneof(fc.constant(0), fc.integer())

/** Bytes of which no two neighbours are equal, in memory that begins at any address. */
function memoryOf(bytes: number, offset: number): Memory {
  const all = new Uint8Array(bytes + offset).map((_, n) => n * 151)
  return new Memory(all.subarray(offset))
}

const masked = (bytes: Uint8Array, mask: number) =>
  bytes.map((byte, n) => byte ^ (mask >>> ((n & 3) << 3)))

test('a mask is taken off each byte, and bytes are moved, whatever their place and number', () => {
  fc.assert(
    fc.property(lengths, masks, fc.nat(9), fc.nat(9), fc.nat(20), (length, mask, at, to, ahead) => {
      const memory = memoryOf(to + ahead + length + 8, at)
      const before = memory.bytes.slice()
      const from = to + ahead
      unmask(memory, from, to, length, mask)
      const expected = masked(before.subarray(from, from + length), mask)
      assert.deepEqual(memory.bytes.subarray(to, to + length), expected)
      assert.deepEqual(memory.bytes.subarray(0, to), before.subarray(0, to))
      assert.deepEqual(memory.bytes.subarray(from + length), before.subarray(from + length))
    }),
    { numRuns: 150 },
  )
})

test('a copy has the mask, and what is around it stays', () => {
  fc.assert(
    fc.property(lengths, masks, fc.nat(9), fc.nat(9), (length, mask, from, to) => {
      const [source, target] = [memoryOf(from + length, 3), memoryOf(to + length + 8, 1)]
      const before = target.bytes.slice()
      const expected = masked(source.bytes.slice(from, from + length), mask)
      copyMasked(source, from, target, to, length, mask)
      assert.deepEqual(target.bytes.subarray(to, to + length), expected)
      assert.deepEqual(target.bytes.subarray(0, to), before.subarray(0, to))
      assert.deepEqual(target.bytes.subarray(to + length), before.subarray(to + length))
    }),
    { numRuns: 150 },
  )
})
