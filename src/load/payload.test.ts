import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { copyOf, createPayload, firstWrongByte, type PayloadSpec } from './payload.ts'

const specs: PayloadSpec[] = [
  { kind: 'repeat', message: Buffer.from('yodel\n') },
  { kind: 'repeat', message: Buffer.alloc(100_000, 'abc') },
  { kind: 'seeded', seed: 7 },
]

for (const spec of specs) {
  const payload = createPayload(spec)
  const name = `${spec.kind} ${payload.table.length}`

  test(`${name}: the stream does not depend on how it is asked for`, () => {
    fc.assert(
      fc.property(fc.nat(300_000), fc.nat(300_000), fc.nat(50), (offset, length, connection) => {
        const whole = copyOf(payload, connection, 0, offset + length)
        assert.ok(whole.subarray(offset).equals(copyOf(payload, connection, offset, length)))
        assert.equal(firstWrongByte(payload, connection, offset, whole.subarray(offset)), -1)
      }),
      { numRuns: 30 },
    )
  })

  test(`${name}: a flipped bit is found where it is`, () => {
    fc.assert(
      fc.property(
        fc.nat(1e9),
        fc.integer({ min: 1, max: 200_000 }),
        fc.nat(7),
        (offset, n, bit) => {
          const received = copyOf(payload, 3, offset, n)
          const at = (offset * 31) % n
          received[at]! ^= 1 << bit
          assert.equal(firstWrongByte(payload, 3, offset, received), at)
        },
      ),
      { numRuns: 50 },
    )
  })
}

test('seeded: shifts, repetitions and foreign bytes are wrong at once', () => {
  const payload = createPayload({ kind: 'seeded', seed: 1 })
  const received = copyOf(payload, 0, 0, 64)
  const offsets = Array.from({ length: 3000 }, (_, index) => index + 1)
  for (const offset of [...offsets, 65_536, 131_072, 2 ** 20, 2 ** 21, 2 ** 32]) {
    const at = firstWrongByte(payload, 0, offset, received)
    assert.ok(at >= 0 && at < 4, `shift by ${offset}: ${at}`)
  }
  for (let connection = 1; connection < 3000; connection++) {
    const at = firstWrongByte(payload, connection, 0, received)
    assert.ok(at >= 0 && at < 4, `connection ${connection}: ${at}`)
  }
})
