/** What a user gives for TLS, and what becomes of its failures. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import { UserError } from '../../vocabulary/errors.ts'
import type { HostAddress } from '../../vocabulary/address.ts'
import { createCertificate, fingerprintOf } from './certificate.ts'
import { authoritiesOf, checkCalling, contextOf, identityFor, invalidToday } from './credentials.ts'
import { integer, octets, oid, sequence, tagged } from './der.ts'
import { handshakeCut, handshakeTimeout, pinMismatch, tlsMeaning } from './failures.ts'

const tls: HostAddress = { transport: 'tls', host: '127.0.0.1', port: 1 }
const own = createCertificate(['localhost'])
const other = createCertificate(['localhost'])

test('a server has what it was given, or a certificate of its own; without TLS it has none', () => {
  assert.equal(identityFor({ ...tls, transport: 'tcp' }), undefined)
  assert.equal(identityFor({ transport: 'unix', path: '/nowhere' }, own), undefined)
  assert.deepEqual(identityFor(tls, own), { ...own, clientCa: undefined })
  assert.equal(identityFor(tls, { clientCa: other.cert })?.clientCa, other.cert)
  const made = new X509Certificate(identityFor({ ...tls, host: '192.0.2.1' })!.cert)
  assert.ok(made.checkIP('192.0.2.1') && made.checkHost('localhost'))
  assert.ok(!made.checkIP('192.0.2.2'))
})

/** Refused as a mistake of the user; every other error is thrown. */
function isRefused(use: () => unknown): boolean {
  try {
    use()
    return false
  } catch (error) {
    if (error instanceof UserError && error.kind === 'usage') return true
    throw error
  }
}

test('halves of a pair, pairs that do not match, and what is no PEM are refused', () => {
  const { cert, key } = own
  const der = 'MIIB'
  const wrong: { cert?: string; key?: string; clientCa?: string }[] = [
    { cert },
    { key },
    { cert: '', key: '' },
    { cert, key: '' },
    { cert: '', key },
    { cert, key: other.key },
    { cert: key, key: cert },
    { cert: der, key: der },
    { clientCa: '' },
    { clientCa: key },
    { clientCa: 'toString' },
  ]
  for (const given of wrong)
    assert.ok(
      isRefused(() => identityFor(tls, given)),
      JSON.stringify(given),
    )
  for (const given of [{ cert }, { key }, { cert, key: other.key }, { ca: '' }, { ca: key }])
    assert.ok(
      isRefused(() => checkCalling({ tls: given })),
      JSON.stringify(given),
    )
  checkCalling({ tls: { ...own, ca: other.cert } })
  checkCalling({})
})

test('a file that was cut, or has a wrong byte, is used whole or refused', () => {
  const { cert, key } = own
  const places = fc.nat(cert.length - 1)
  const property = fc.property(places, fc.constantFrom('', '!', 'A', '\0'), (at, byte) => {
    isRefused(() => identityFor(tls, { cert: cert.slice(0, at), key }))
    isRefused(() => identityFor(tls, { cert, key: key.slice(0, at) }))
    const changed = cert.slice(0, at) + byte + cert.slice(at + 1)
    isRefused(() => identityFor(tls, { cert: changed, key }))
    isRefused(() => identityFor(tls, { clientCa: changed }))
  })
  fc.assert(property, { numRuns: short(200, 10) })
})

test('a certificate that no client takes today is named, with the day', () => {
  const day = 86_400e3
  const at = (ms: number) => invalidToday(createCertificate(['localhost'], Date.now() + ms))
  assert.equal(at(0), undefined)
  assert.match(at(-400 * day) ?? '', /has expired \(\w+ +\d+ /)
  assert.match(at(day) ?? '', /not valid before/)
})

test('the options of a client are checked: fingerprints, protocols, names', () => {
  const refuses = (options: object) => isRefused(() => checkCalling({ tls: options }))
  const pin = fingerprintOf(own.cert)
  const colons = pin.toUpperCase().replaceAll(/..(?=.)/g, '$&:')
  for (const good of [pin, pin.toUpperCase(), colons, ` ${pin} `])
    assert.ok(!refuses({ pin: good }))
  for (const bad of ['', pin.slice(1), `${pin}0`, pin.replace(/./, 'g'), 'sha256/AAAA'])
    assert.ok(refuses({ pin: bad }), bad)
  // RFC 7301 section 3.1 counts bytes.
  for (const good of ['h', 'x'.repeat(255), 'ä'.repeat(127)]) assert.ok(!refuses({ alpn: [good] }))
  for (const bad of ['', 'x'.repeat(256), 'ä'.repeat(128)])
    assert.ok(refuses({ alpn: ['h2', bad] }))
  assert.ok(refuses({ serverName: '' }))
})

test('a client trusts what it was told to trust, and reads it once', () => {
  assert.equal(authoritiesOf({}), undefined)
  assert.deepEqual(authoritiesOf({ insecure: true, ca: own.cert }), [])
  assert.deepEqual(authoritiesOf({ pin: fingerprintOf(own.cert) }), [])
  assert.deepEqual(authoritiesOf({ ca: own.cert }), [...rootCertificates, own.cert])
  const calling = { tls: { insecure: true } }
  assert.equal(contextOf(calling), contextOf({ ...calling }))
  assert.notEqual(contextOf(calling), contextOf({ tls: { insecure: true } }))
})

test('each failure of TLS has a cause and what to try; others have none', () => {
  for (const error of [handshakeTimeout(), handshakeCut(), pinMismatch('00')]) {
    const [cause, hint] = tlsMeaning(error)!
    assert.equal(cause, error.message)
    assert.match(hint, /\w\.$|\?/)
  }
  const failed = (code: string, more = {}) =>
    tlsMeaning(Object.assign(new Error('a message'), { code }, more))
  assert.match(failed('CERT_HAS_EXPIRED')![0], /expired/)
  assert.match(failed('ERR_SSL_WRONG_VERSION_NUMBER')![0], /not a TLS server/)
  for (const code of ['ECONNRESET', 'ERR_SSL', '', 'constructor', '__proto__', 'toString'])
    assert.equal(failed(code), undefined, code)
  assert.deepEqual(tlsMeaning(new Error('no code')), undefined)
})

test('what the other side wrote into a certificate or a reason cannot move a cursor', () => {
  const textsOf = (said: string) => {
    const error = Object.assign(new Error('x'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    const odd = Object.assign(new Error('x'), { code: 'ERR_SSL_ODD', reason: said })
    const named = Object.assign(error, { cert: { subjectaltname: said } })
    return [tlsMeaning(named)![0], tlsMeaning(odd)![0]] as const
  }
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 20 }), said => {
    for (const text of textsOf(said)) assert.doesNotMatch(text, /\p{Cc}/u)
  })
  fc.assert(property, { numRuns: short(1_000, 50) })
  const [named] = textsOf('DNS:a.example, '.repeat(1_000))
  assert.ok(named.length < 250 && named.endsWith('…'))
})

/** Tag, content, and what follows, by X.690 section 8.1. */
function readDer(bytes: Buffer): { tag: number; content: Buffer; rest: Buffer } {
  const first = bytes[1]!
  const count = first < 0x80 ? 0 : first & 0x7f
  const length = count === 0 ? first : bytes.readUIntBE(2, count)
  // DER: as few bytes as it needs (section 10.1).
  assert.ok(count === 0 || (length >= 0x80 && bytes[2] !== 0))
  const end = 2 + count + length
  return { tag: bytes[0]!, content: bytes.subarray(2 + count, end), rest: bytes.subarray(end) }
}

test('what is written as DER is read as DER, of any length', () => {
  const bounds = fc.constantFrom(0, 1, 127, 128, 255, 256, 65_535, 65_536, 100_000)
  const property = fc.property(bounds, fc.nat(300), fc.nat(30), (length, more, tag) => {
    const [content, second] = [Buffer.alloc(length, tag), Buffer.alloc(more, 1)]
    const one = readDer(tagged(tag, content, second))
    assert.deepEqual([one.tag, one.rest.length], [tag, 0])
    assert.ok(one.content.equals(Buffer.concat([content, second])))
    const outer = readDer(sequence(octets(content), integer(second)))
    const inner = readDer(outer.content)
    assert.deepEqual([outer.tag, inner.tag, readDer(inner.rest).tag], [0x30, 0x04, 0x02])
    assert.ok(inner.content.equals(content) && readDer(inner.rest).content.equals(second))
  })
  fc.assert(property, { numRuns: short(300, 30) })
})

test('an object identifier is read as it was written', () => {
  const arcs = fc.array(fc.nat(), { minLength: 1, maxLength: 8 })
  const property = fc.property(fc.nat(2), fc.nat(39), arcs, (first, second, more) => {
    const { tag, content } = readDer(oid([first, second, ...more].join('.')))
    const found: number[] = []
    let number = 0
    for (const byte of content) {
      number = number * 128 + (byte & 0x7f)
      if (byte >= 0x80) continue
      found.push(number)
      number = 0
    }
    assert.deepEqual([tag, ...found], [0x06, first * 40 + second, ...more])
  })
  fc.assert(property, { numRuns: short(500, 100) })
})
