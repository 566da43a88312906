/** IP addresses as bytes and as text, compared with what a URL makes of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exactIpText, ipBytes, ipText } from './ip-bytes.ts'

const zero = { weight: 1, arbitrary: fc.constant(0) }
const group = fc.oneof(zero, { weight: 1, arbitrary: fc.nat(65_535) })
const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 })

test('text and bytes are inverse, and IPv6 is written as RFC 5952 has it', () => {
  fc.assert(
    fc.property(ipv6, fc.ipV4(), (groups, four) => {
      const long = groups.map(each => each.toString(16)).join(':')
      const bytes = ipBytes(long)
      assert.deepEqual(
        bytes,
        groups.flatMap(each => [each >> 8, each & 0xff]),
      )
      const short = new URL(`tcp://[${long}]`).hostname.slice(1, -1)
      assert.equal(exactIpText(Uint8Array.from(bytes)), short)
      for (const other of [short, `${long}%eth0`, short.toUpperCase()])
        assert.deepEqual(ipBytes(other), bytes)
      const last = four.split('.').map(Number)
      assert.deepEqual(ipBytes(four), last)
      // Written with IPv4 at the end, as long or as short as possible.
      const mixed = `${groups
        .slice(0, 6)
        .map(each => each.toString(16))
        .join(':')}:${four}`
      assert.deepEqual(ipBytes(mixed), [...bytes.slice(0, 12), ...last])
      for (const first of ['::', '::ffff:', '64:ff9b::'])
        assert.deepEqual(ipBytes(`${first}${four}`).slice(12), last)
      assert.deepEqual(ipBytes(`::${four}`), [...Array<number>(12).fill(0), ...last])
      for (const text of [exactIpText, ipText])
        assert.equal(text(Uint8Array.from(ipBytes(four))), four)
    }),
    { numRuns: 40 },
  )
})

test('IPv4 within IPv6 is IPv4, unless the exact text is asked for', () => {
  const bytes = Uint8Array.from(ipBytes('::ffff:192.0.2.1'))
  assert.deepEqual([ipText(bytes), exactIpText(bytes)], ['192.0.2.1', '::ffff:c000:201'])
  assert.equal(ipText(Uint8Array.from(ipBytes('::1'))), '::1')
})
