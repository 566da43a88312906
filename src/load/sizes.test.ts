import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSizes, parseSizes } from './sizes.ts'

test('sizes as people write them', () => {
  const rows: [text: string, ...ranges: [minBytes: number, maxBytes: number, weight: number][]][] =
    [
      ['64', [64, 64, 1]],
      ['64KiB', [65_536, 65_536, 1]],
      ['16-64k', [16, 64_000, 1]],
      ['64:90%,1k-4k:9%, 64k:1%', [64, 64, 90], [1000, 4000, 9], [64_000, 64_000, 1]],
      ['1:0.5,2', [1, 1, 0.5], [2, 2, 1]],
    ]
  for (const [text, ...ranges] of rows)
    assert.deepEqual(
      parseSizes(text),
      ranges.map(([minBytes, maxBytes, weight]) => ({ minBytes, maxBytes, weight })),
    )
  for (const text of ['', '-', '64-', '64:', '64;1', '1-2-3', '-5', '64:x', '64,', '0.5'])
    assert.throws(() => parseSizes(text), { kind: 'usage' }, text)
})

test('sizes lie in their ranges, as often as their weights say', () => {
  const sizes = createSizes(parseSizes('64:90%,1k-4k:10%'), 7)
  assert.deepEqual([sizes.minBytes, sizes.maxBytes, sizes.fixedBytes], [64, 4000, 0])
  const drawn = Array.from({ length: 20_000 }, (_, n) => sizes.of(n % 5, n))
  const large = drawn.filter(size => size !== 64)
  assert.ok(Math.abs(large.length / drawn.length - 0.1) < 0.01, `${large.length}`)
  assert.ok(large.every(size => size >= 1000 && size <= 4000))
  assert.ok(large.some(size => size < 1100) && large.some(size => size > 3900))
})

test('a size is a function of seed, connection and number', () => {
  const draw = (seed: number, connection: number) => {
    const sizes = createSizes(parseSizes('1-1000000'), seed)
    return Array.from({ length: 20 }, (_, n) => sizes.of(connection, n))
  }
  assert.deepEqual(draw(1, 2), draw(1, 2))
  assert.notDeepEqual(draw(1, 2), draw(1, 3))
  assert.notDeepEqual(draw(1, 2), draw(2, 2))
})
