/** What can be written, and what is said about the rest. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../vocabulary/errors.ts'
import { faultKinds, type FaultSpec } from './index.ts'
import { checkFault, formatFault, parseFault } from './parse.ts'

const written: Record<string, FaultSpec> = {
  'delay=50ms': { kind: 'delay', ms: 50, jitterMs: undefined },
  'delay=50ms~10ms:5%': { kind: 'delay', ms: 50, jitterMs: 10, percent: 5 },
  'delay=exp:50ms:2.5%': { kind: 'delay', ms: 50, distribution: 'exponential', percent: 2.5 },
  'throttle=64k/s': { kind: 'throttle', bytesPerSecond: 64_000 },
  'slice=10': { kind: 'slice', minBytes: 10, maxBytes: 10 },
  'slice=1-100': { kind: 'slice', minBytes: 1, maxBytes: 100 },
  'corrupt=1e-6': { kind: 'corrupt', perByte: 1e-6 },
  'corrupt=1%:10%': { kind: 'corrupt', perByte: 0.01, percent: 10 },
  'truncate=1KiB': { kind: 'truncate', afterBytes: 1024 },
  'reset=1000': { kind: 'reset', afterBytes: 1000 },
  'reset=64k': { kind: 'reset', afterBytes: 64_000 },
  'reset=1MB': { kind: 'reset', afterBytes: 1e6 },
  'reset=2s': { kind: 'reset', afterMs: 2000 },
  hang: { kind: 'hang', afterBytes: 0 },
  'hang:50%': { kind: 'hang', afterBytes: 0, percent: 50 },
  'hang=1000': { kind: 'hang', afterBytes: 1000 },
  refuse: { kind: 'refuse' },
  'drop=10%': { kind: 'drop', perMessage: 0.1 },
  'duplicate=100%:50%': { kind: 'duplicate', perMessage: 1, percent: 50 },
  'reorder=0.5%': { kind: 'reorder', perMessage: 0.005 },
  'slow-accept=100ms': { kind: 'slow-accept', ms: 100 },
}

test('every kind can be written, and nothing of it is lost', () => {
  for (const [text, spec] of Object.entries(written)) assert.deepEqual(parseFault(text), spec, text)
  const kinds = new Set(Object.values(written).map(({ kind }) => kind))
  for (const kind of faultKinds)
    assert.ok(kinds.has(kind), `Add an example of ${kind} to \`written\` in this file.`)
})

test('the examples that are given are right', () => {
  for (const kind of faultKinds) {
    assert.throws(
      () => parseFault(`${kind}=!`),
      ({ hint }: UserError) => {
        const examples = hint.replace('Write for example ', '').replaceAll(/ \([^)]*\)|\.$/g, '')
        for (const text of examples.split(/, | or /)) assert.equal(parseFault(text).kind, kind)
        return true
      },
    )
  }
})

test('an unknown kind is answered with those that there are', () => {
  const kinds = faultKinds.toSorted()
  const hint = `The kinds are ${kinds.slice(0, -1).join(', ')} and ${kinds.at(-1)}.`
  for (const text of ['', 'dealy=50ms', '=5', 'toString=1', '__proto__', 'hang ', '50%'])
    assert.throws(() => parseFault(text), { name: 'UserError', hint })
  assert.throws(() => checkFault({ kind: 'melt' } as unknown as FaultSpec), { hint })
})

test('what makes no sense is refused', () => {
  const texts = [
    'delay delay= delay=50 delay=10ms~20ms delay=1ms~ delay=1ms~1ms~1ms delay=exp:1ms~1ms',
    'throttle=64k throttle=0/s slice=0 slice=9-3 slice=1- corrupt=2 corrupt= corrupt=101%',
    'truncate=1.5 truncate=2s reset reset= reset=5parsecs hang= hang=2s hang:101% refuse=1',
    'slow-accept slow-accept=1 drop drop=10 drop=101% duplicate=x% reorder= reorder=5ms',
  ].flatMap(line => line.split(' '))
  for (const text of texts) assert.throws(() => parseFault(text), UserError, text)
  const specs = [
    { kind: 'delay', ms: Number.NaN },
    { kind: 'delay', ms: '50' },
    { kind: 'delay' },
    { kind: 'delay', ms: 1, distribution: 'normal' },
    { kind: 'slice', maxBytes: 10 },
    { kind: 'reset' },
    { kind: 'reset', afterMs: 1, afterBytes: 1 },
    { kind: 'hang', afterBytes: -1 },
    { kind: 'hang', percent: 101 },
    { kind: 'throttle', bytesPerSecond: 0 },
  ]
  for (const spec of specs)
    assert.throws(() => checkFault(spec as FaultSpec), UserError, JSON.stringify(spec))
})

test('what is written comes back as it can be typed again, whatever its numbers are', () => {
  const [ms, bytes] = [
    fc.integer({ min: 0, max: 1e9 }).map(us => us / 1e3),
    fc.integer({ min: 1, max: 2e9 }),
  ]
  const part = fc.integer({ min: 0, max: 1e9 }).map(billionths => billionths / 1e9)
  const specs = fc.oneof(
    fc.record({ kind: fc.constant('delay' as const), ms }),
    fc.record({ kind: fc.constant('throttle' as const), bytesPerSecond: bytes }),
    fc.record({ kind: fc.constant('reset' as const), afterBytes: bytes }),
    fc.record({ kind: fc.constant('hang' as const), afterBytes: bytes }),
    fc.record({ kind: fc.constant('corrupt' as const), perByte: part }),
    fc.record({ kind: fc.constant('drop' as const), perMessage: part }),
  )
  const near = (a: unknown, b: unknown) =>
    typeof a === 'number' && typeof b === 'number'
      ? Math.abs(a - b) <= 1e-9 + Math.abs(a) * 1e-9
      : a === b
  fc.assert(
    fc.property(specs, spec => {
      const again: FaultSpec = parseFault(formatFault(spec))
      for (const [name, value] of Object.entries(spec))
        assert.ok(near(value, again[name as keyof FaultSpec]), formatFault(spec))
    }),
  )
  for (const text of Object.keys(written))
    assert.deepEqual(parseFault(formatFault(parseFault(text))), parseFault(text), text)
})
