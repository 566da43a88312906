import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSameHost, isSamePlace } from './same-host.ts'

test('a host is the same in each way to write it, with or without a port', () => {
  for (const text of ['::1', '[::1]', '[::1]:7000', '0:0:0:0:0:0:0:1', '[::1%lo]:5', '0::1'])
    assert.ok(isSameHost(text, '[::1]:80'), text)
  for (const text of ['192.0.2.1', '192.0.2.1:5', '::ffff:192.0.2.1', '[::FFFF:c000:201]:9'])
    assert.ok(isSameHost(text, '192.0.2.1:80'), text)
  assert.ok(isSameHost('2001:DB8::1', '[2001:db8:0::1]:80'))
  // Its last group is no port.
  assert.ok(!isSameHost('2001:db8::1:80', '[2001:db8::1]:80'))
  for (const text of ['::2', '192.0.2.1', 'unknown', '', '_hidden', '[::1'])
    assert.ok(!isSameHost(text, '[::1]:80'), text)
})

test('a place is the same only with the same port', () => {
  assert.ok(isSamePlace('[0::1]:80', '[::1]:80'))
  assert.ok(isSamePlace('[::ffff:192.0.2.1]:80', '192.0.2.1:80'))
  assert.ok(!isSamePlace('[::1]:81', '[::1]:80'))
  assert.ok(!isSamePlace('::1', '[::1]:80'))
})
