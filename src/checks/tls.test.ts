import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryText } from './tls.ts'

const dayMs = 24 * 3_600e3

test('a certificate that has expired is said to have expired', () => {
  assert.equal(expiryText(3.5 * dayMs), 'expires in 3 days')
  assert.equal(expiryText(1.5 * dayMs), 'expires in 1 day')
  assert.equal(expiryText(-331.5 * dayMs), 'expired 331 days ago')
  assert.equal(expiryText(-0.5 * dayMs), 'expired 0 days ago')
})
