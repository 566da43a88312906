/** A table of options is enough: all else follows from its rows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateOptions, defaultsOf, fromFlags, group, option, resolve, wordsOf } from './form.ts'
import { choice, count, duration, list, rate, text, whether } from './kinds.ts'

const rows = {
  depth: option(count(), { default: 1, flag: 'depth' }),
  ratePerSecond: option(rate(), { default: undefined, flag: 'rate' }),
  durationMs: option(duration({ zero: false }), { default: 10_000, flag: 'duration' }),
  count: option(count({ unlimited: true }), { default: Infinity, flag: 'count' }),
  arrivals: option(choice(['even', 'poisson']), { default: 'even', flag: 'arrivals' }),
  quiet: option(whether(), { default: false, flag: 'quiet' }),
  message: option(text('[message]'), { default: 'Hello!', positional: true }),
  calling: group({
    serverName: option(text('<name>'), { default: undefined, flag: 'server-name' }),
    alpn: option(list(text('<protocol>')), { default: undefined, flag: 'alpn' }),
  }),
}

test('defaults stand where nothing is given', () => {
  const { depth, ratePerSecond, arrivals, calling } = defaultsOf(rows)
  assert.deepEqual([depth, ratePerSecond, arrivals, calling], [1, undefined, 'even', {}])
  const resolved = resolve(rows, { depth: 7, durationMs: undefined }, { arrivals: 'poisson' })
  assert.deepEqual([resolved.depth, resolved.durationMs, resolved.arrivals], [7, 10_000, 'poisson'])
})

test('a value that makes no sense is named', () => {
  const wrong: [object, string][] = [
    [{ depth: 0 }, 'depth must be a whole number from 1 on.'],
    [{ depth: 1.5 }, 'depth must be a whole number from 1 on.'],
    [{ count: Number.NaN }, 'count must be a whole number from 1 on, or unlimited.'],
    [{ ratePerSecond: 2e9 }, 'ratePerSecond must be more than 0, and at most 1G/s.'],
    [{ durationMs: 0 }, 'durationMs must be more than 0.'],
    [{ arrivals: 'odd' }, 'arrivals must be one of even, poisson.'],
  ]
  for (const [options, message] of wrong)
    assert.throws(() => validateOptions(rows, options), { name: 'UserError', message })
  validateOptions(rows, { count: Infinity, ratePerSecond: undefined, calling: {}, unknown: 1 })
})

test('what is typed comes back by the names of the library, groups as objects', () => {
  const typed = { rate: 500, serverName: 'a', alpn: undefined, json: true }
  assert.deepEqual(fromFlags(rows, typed), { ratePerSecond: 500, calling: { serverName: 'a' } })
  assert.deepEqual(fromFlags(rows, {}), {})
})

test('what to type is said in order, and only what is not as usual', () => {
  const options = {
    durationMs: 1500,
    depth: 1,
    quiet: true,
    message: 'Hi',
    count: Infinity,
    calling: { alpn: ['a', 'b'] },
  }
  const words = '--duration 1.5s --quiet Hi --alpn a --alpn b'
  assert.equal(wordsOf(rows, options, defaultsOf(rows)).join(' '), words)
})
