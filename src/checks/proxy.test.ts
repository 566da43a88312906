import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeAddress } from './proxy.ts'

const named = (local: string, seen: string, by?: string) =>
  judgeAddress(local, seen, by, 'X-Forwarded-For').found.map(({ name }) => name)

test('an address that a proxy names is compared as an address, whatever its form', () => {
  const other = '192.0.2.9:1'
  for (const right of ['::1', '[::1]', '[::1]:5000', '[::1]:9', '0:0:0:0:0:0:0:1'])
    assert.deepEqual(named('[::1]:5000', other, right), [], right)
  for (const right of ['192.0.2.1', '192.0.2.1:5000', '::ffff:192.0.2.1'])
    assert.deepEqual(named('192.0.2.1:5000', other, right), [], right)
  for (const wrong of ['::2', '192.0.2.1', 'unknown', '[::2]:5000'])
    assert.deepEqual(named('[::1]:5000', other, wrong), ['wrong-address'], wrong)
})

test('an address that no proxy names is hidden unless the other end sees it itself', () => {
  assert.deepEqual(named('[::1]:5000', '[0:0::1]:5000'), [])
  assert.deepEqual(named('[::1]:5000', '[::1]:5001'), ['hidden'])
})
