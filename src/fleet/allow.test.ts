import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { checkShare, parsePattern } from './allow.ts'
import { checkListening, checkBrokerToken, parseBrokerUrl, shownBroker } from './broker-url.ts'
import { unseal, seal } from './sealed.ts'

const cases: [pattern: string, address: string, allowed: boolean][] = [
  ['tcp://127.0.0.1:*', 'tcp://127.0.0.1:7000', true],
  ['tcp://127.0.0.1:*', 'tls://127.0.0.1:7000', false],
  ['tcp://127.0.0.1:*', 'tcp://127.0.0.11:7000', false],
  ['*://127.0.0.1:7000', 'udp://127.0.0.1:7000', true],
  ['tls://*.lab.example:443', 'tls://a.lab.example:443', true],
  ['tls://*.lab.example:443', 'tls://a.b.LAB.example:443', true],
  ['tls://*.lab.example:443', 'tls://lab.example:443', false],
  ['tls://*.lab.example:443', 'tls://xlab.example:443', false],
  ['tls://*.lab.example:443', 'tls://a.lab.example:444', false],
  ['tls://*.lab.example:443', 'tls://a.lab.example.evil:443', false],
  ['tcp://[::1]:7', 'tcp://[::1]:7', true],
  ['tcp://*:7', 'tcp://example.org:7', true],
  ['tcp://*:7', 'unix:/tmp/echo', false],
  ['unix:/tmp/echo', 'unix:/tmp/echo', true],
  ['unix:/tmp/*', 'unix:/tmp/echo', true],
  ['unix:/tmp/*', 'unix:/tmp/../run/docker.sock', false],
]
for (const [pattern, address, allowed] of cases)
  test(`${pattern} ${allowed ? 'allows' : 'does not allow'} ${address}`, () => {
    assert.equal(parsePattern(pattern)(parseAddress(address)), allowed)
  })

test('what is no pattern is refused', () => {
  for (const text of ['', '*', '127.0.0.1:*', 'tcp://a.*.b:1', 'ftp://a:1', 'tcp://a', 'unix:*/a'])
    assert.throws(() => parsePattern(text), UserError, text)
})

test('an agent keeps to its limits', () => {
  const share = { address: parseAddress('tcp://127.0.0.1:7'), connections: 10, ratePerSecond: 100 }
  const limits = { allow: [], maxRate: undefined, maxConnections: undefined }
  checkShare(share, limits)
  checkShare({ ...share, address: parseAddress('udp://localhost:7') }, limits)
  for (const elsewhere of ['tcp://10.0.0.1:7', 'tcp://[::2]:7', 'unix:/tmp/echo'])
    assert.throws(
      () => checkShare({ ...share, address: parseAddress(elsewhere) }, limits),
      /--allow/,
    )
  const other = { ...limits, allow: ['tcp://10.0.0.1:7'] }
  assert.throws(() => checkShare(share, other), /it is allowed tcp:\/\/10\.0\.0\.1:7/)
  assert.throws(() => checkShare(share, { ...limits, maxConnections: 9 }), /10 connections/)
  assert.throws(() => checkShare(share, { ...limits, maxRate: 99 }), /rate of 100\/s.* 99\/s/)
  const closed = { ...share, ratePerSecond: Infinity }
  assert.throws(() => checkShare(closed, { ...limits, maxRate: 99 }), /closed loop/)
})

test('the URL of a broker: what is a secret is not shown, what is elsewhere needs a token', () => {
  const url = parseBrokerUrl('mqtts://me:p%40ss@broker.example')
  assert.deepEqual([url.username, url.password, url.port], ['me', 'p@ss', 8883])
  assert.equal(shownBroker(url), 'mqtts://broker.example:8883')
  assert.equal(shownBroker(parseBrokerUrl('mqtt://[::1]')), 'mqtt://[::1]:1883')
  for (const text of ['', 'http://a', 'mqtt://', 'mqtt://a:99999', 'mqtt://a/b', 'mqtt://[a]'])
    assert.throws(() => parseBrokerUrl(text), UserError, text)
  assert.throws(() => checkBrokerToken(url, undefined), /not on this machine/)
  assert.throws(() => checkBrokerToken(url, 'short'), /5 characters/)
  checkBrokerToken(parseBrokerUrl('mqtt://127.0.0.1'), undefined)
  assert.throws(() => checkListening(parseBrokerUrl('mqtt://0.0.0.0')), /not encrypted/)
  checkListening(parseBrokerUrl('mqtts://0.0.0.0'))
})

test('a seal is for one token, one topic, and all of a message', () => {
  const [token, topic] = ['0123456789abcdef', 'yodel/1/to/a']
  const message = seal(token, topic, { kind: 'start' }, Buffer.from('bytes'))
  assert.deepEqual(unseal(token, topic, message), {
    words: { kind: 'start' },
    bytes: Buffer.from('bytes'),
  })
  assert.equal(unseal('another of 16 c.', topic, message), undefined)
  assert.equal(unseal(undefined, topic, message), undefined)
  assert.equal(unseal(token, 'yodel/1/to/b', message), undefined)
  assert.equal(unseal(token, topic, seal(undefined, topic, {})), undefined)
  for (let n = 0; n < message.length; n++) {
    const changed = Buffer.from(message)
    changed[n]! ^= 1
    assert.equal(unseal(token, topic, changed), undefined, `byte ${n}`)
    assert.equal(unseal(token, topic, message.subarray(0, n)), undefined)
  }
  assert.equal(unseal(undefined, topic, seal(undefined, topic, [])), undefined)
})
