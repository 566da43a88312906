import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserError } from './errors.ts'
import * as units from './units.ts'

test('sizes: decimal and binary multiples differ', () => {
  assert.equal(units.parseSize('64'), 64)
  assert.equal(units.parseSize('64k'), 64_000)
  assert.equal(units.parseSize('64KiB'), 65_536)
  assert.equal(units.parseSize('1.5M'), 1_500_000)
  for (const bad of ['', 'x', '64K', '-1', '1.0001k1', '1..5', '0.5', '1e3', '64 kk', '9999999GB'])
    assert.throws(() => units.parseSize(bad), UserError, bad)
})

test('durations come out in milliseconds, and need a unit', () => {
  const rows = { '500us': 0.5, '20ms': 20, '10s': 10_000, '5m': 300_000, '1h': 3_600_000, '0': 0 }
  for (const [text, ms] of Object.entries(rows)) assert.equal(units.parseDuration(text), ms, text)
  for (const bad of ['5', '1M', '-1s', 's', '1 s s']) {
    assert.throws(() => units.parseDuration(bad), UserError, bad)
  }
})

test('rates come out per second', () => {
  const rows = { '500': 500, '10k': 10_000, '10k/s': 10_000, '6k/m': 100, '3600/h': 1 }
  for (const [text, rate] of Object.entries(rows)) assert.equal(units.parseRate(text), rate, text)
  for (const bad of ['/s', '10/', '10/x', '10/s/s', '10ms', '5/constructor', '5/toString']) {
    assert.throws(() => units.parseRate(bad), UserError, bad)
  }
})

test('percentages come out as fractions', () => {
  assert.equal(units.parsePercent('2%'), 0.02)
  assert.equal(units.parsePercent('100%'), 1)
  for (const bad of ['2', '101%', '-1%', '%'])
    assert.throws(() => units.parsePercent(bad), UserError, bad)
})

test('what is printed is short', () => {
  assert.equal(units.formatDuration(0.0312), '31.2us')
  assert.equal(units.formatDuration(1.254), '1.25ms')
  assert.equal(units.formatDuration(10_000), '10s')
  assert.equal(units.formatSize(1_234_567), '1.23 MB')
  assert.equal(units.formatSize(0), '0 B')
  const counts = [0, 999, 1_000, 1_234_567, -12_345.6].map(units.formatCount)
  assert.deepEqual(counts, ['0', '999', '1,000', '1,234,567', '-12,346'])
  assert.equal(units.plural(1, 'client'), '1 client')
})
