/** Typing what `reproduce` says gives the same options again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchDefaults, type BenchOptions } from '../bench.ts'
import { benchOptions, floodOptions } from '../load/options.ts'
import { reproduce } from './reproduce.ts'

test('every option that is not as usual is said, what introduces us too', () => {
  const options: BenchOptions = {
    ratePerSecond: 500,
    connections: benchDefaults.connections,
    sizeBytes: [
      { minBytes: 16, maxBytes: 64, weight: 9 },
      { minBytes: 1000, maxBytes: 1000, weight: 1 },
    ],
    durationMs: 200,
    countCorruption: true,
    expect: ['p99<5ms', 'loss=0'],
    calling: { sendProxy: 2, tls: { alpn: ['a', 'b'], insecure: true, ca: 'PEM', pin: undefined } },
  }
  assert.equal(
    reproduce('bench', ':7007', benchOptions, options),
    'yodel bench :7007 --rate 500/s --size 16-64:9,1000:1 --duration 200ms --count-corruption ' +
      "--expect 'p99<5ms' --expect loss=0 " +
      '--send-proxy 2 --alpn a --alpn b --insecure --ca CA.pem',
  )
})

test('what is as usual need not be said', () => {
  const sizeBytes = [{ minBytes: 64, maxBytes: 64, weight: 1 }]
  const options = { ...benchDefaults, sizeBytes, count: Infinity, idle: undefined }
  assert.equal(reproduce('bench', ':7', benchOptions, options), 'yodel bench :7')
})

test('a message is quoted for a shell', () => {
  const message = Buffer.from("it's\n")
  const words = reproduce('flood', 'unix:/tmp/a b', floodOptions, { depth: 2, message })
  assert.equal(words, String.raw`yodel flood 'unix:/tmp/a b' --depth 2 $'it\'s\n'`)
})
