/** The PROXY protocol, byte by byte. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { crc32c, readProxyHeader, writeProxyHeader, type ProxyHeader } from './proxy-header.ts'

const ports = fc.integer({ min: 0, max: 65_535 })
const pair = (address: fc.Arbitrary<string>) =>
  fc
    .tuple(address, ports, address, ports)
    .map(([source, sourcePort, destination, destinationPort]) => {
      return { source, sourcePort, destination, destinationPort }
    })
const ipv6 = fc.ipV6().map(text => new URL(`http://[${text}]`).hostname.slice(1, -1))
const anybody = fc.oneof(pair(fc.ipV4()), pair(ipv6), fc.constant(undefined))

test('what is written is read, and not one byte more', () => {
  const property = fc.property(anybody, fc.constantFrom(1, 2), fc.uint8Array(), (who, v, data) => {
    const header = writeProxyHeader(v, who)
    const read = readProxyHeader(Buffer.concat([header, data]))
    assert.deepEqual(read, { kind: 'present', lengthBytes: header.length, forwarded: who })
  })
  fc.assert(property)
})

test('cut anywhere, a header is incomplete', () => {
  const property = fc.property(anybody, fc.constantFrom(1, 2), fc.nat(), (who, version, cut) => {
    const header = writeProxyHeader(version, who)
    const part = header.subarray(0, cut % header.length)
    assert.deepEqual(readProxyHeader(part), { kind: 'incomplete' })
  })
  fc.assert(property)
})

test('any bytes are read without an accident', () => {
  const v2 = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
  const begun = fc.constantFrom(Buffer.from('PROXY '), v2, Buffer.alloc(0))
  const property = fc.property(begun, fc.uint8Array({ maxLength: 300 }), (begin, rest) => {
    const bytes = Buffer.concat([begin, rest])
    const read = readProxyHeader(bytes)
    if (read.kind === 'present') assert.ok(read.lengthBytes <= bytes.length)
  })
  fc.assert(property, { numRuns: short(1_000, 200) })
})

const kindOf = (text: string | Buffer): ProxyHeader['kind'] =>
  readProxyHeader(Buffer.from(text as string)).kind

test('version 1 as it may be, and as it may not', () => {
  assert.equal(kindOf('PROXY UNKNOWN\r\n'), 'present')
  assert.equal(kindOf('PROXY UNKNOWN ffff::1 whatever\r\n'), 'present')
  assert.equal(kindOf('GET / HTTP/1.1\r\n'), 'absent')
  for (const rest of [
    'TCP4 999.1.1.1 1.2.3.4 1 2',
    'TCP4 ::1 ::1 1 2',
    'TCP6 1.2.3.4 1.2.3.4 1 2',
    'TCP4 1.2.3.4 1.2.3.4 1 65536',
    'TCP4 1.2.3.4 1.2.3.4 01 2',
    'TCP4 1.2.3.4 1.2.3.4 1',
    'TCP4 1.2.3.4 1.2.3.4 1 2 3',
    'UDP4 1.2.3.4 1.2.3.4 1 2',
    '',
  ])
    assert.equal(kindOf(`PROXY ${rest}\r\n`), 'malformed', rest)
  assert.equal(kindOf(`PROXY ${'x'.repeat(200)}`), 'malformed')
})

/** A header of version 2 with these bytes behind the signature. */
const v2 = (commandAndFamily: string, variable: string) =>
  Buffer.from(
    `0d0a0d0a000d0a515549540a${commandAndFamily}` +
      `${(variable.length / 2).toString(16).padStart(4, '0')}${variable}`,
    'hex',
  )
const addresses = '01020304050607080001ffff'

test('version 2 as it may be, and as it may not', () => {
  assert.equal(kindOf(v2('2111', addresses)), 'present')
  assert.equal(kindOf(v2('2011', '')), 'present', 'LOCAL')
  assert.equal(kindOf(v2('2100', '')), 'present', 'UNSPEC')
  assert.equal(kindOf(v2('2131', '00'.repeat(216))), 'present', 'unix')
  assert.equal(kindOf(v2('2111', `${addresses}04000100`)), 'present', 'a TLV')
  assert.equal(kindOf(v2('1111', addresses)), 'malformed', 'version 1')
  assert.equal(kindOf(v2('2211', addresses)), 'malformed', 'a command that is none')
  assert.equal(kindOf(v2('2151', addresses)), 'malformed', 'a family that is none')
  assert.equal(kindOf(v2('2111', addresses.slice(2))), 'malformed', 'addresses cut short')
  assert.equal(kindOf(v2('2111', `${addresses}0400`)), 'malformed', 'a TLV cut short')
  assert.equal(kindOf(v2('2111', `${addresses}040002ff`)), 'malformed', 'a TLV beyond the end')
})

test('the checksum of version 2 must be right if it is there', () => {
  // The check value of CRC-32C for the digits 1 to 9 (RFC 3720 B.4 has the polynomial).
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  const header = v2('2111', `${addresses}03000400000000`)
  header.writeUInt32BE(crc32c(header), header.length - 4)
  assert.equal(kindOf(header), 'present')
  header[20]! ^= 1
  assert.equal(kindOf(header), 'malformed')
})
