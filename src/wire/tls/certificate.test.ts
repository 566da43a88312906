/** The certificate made at start: what others make of it, and that names of all lengths fit. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import { createCertificate, fingerprintOf, namesOf } from './certificate.ts'
import { oid, time } from './der.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const hasOpenssl = spawnSync('openssl', ['version']).error === undefined

test('openssl verify -x509_strict takes it, by each of its names', t => {
  if (!hasOpenssl) return t.skip('openssl is not installed')
  const file = join(folder, 'cert.pem')
  writeFileSync(file, createCertificate([...namesOf('echo.example'), 'fe80::1']).cert)
  const names = [
    ['-verify_hostname', 'localhost'],
    ['-verify_hostname', 'echo.example'],
    ['-verify_ip', '127.0.0.1'],
    ['-verify_ip', '::1'],
    ['-verify_ip', 'fe80::1'],
  ]
  const base = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', file]
  for (const name of names) {
    const { status, stderr } = spawnSync('openssl', [...base, ...name, file])
    assert.equal(status, 0, `${name.join(' ')}: ${stderr.toString()}`)
  }
  const { status } = spawnSync('openssl', [...base, '-verify_hostname', 'other.example', file])
  assert.notEqual(status, 0)
})

test('it is what it says: signed by its own key, for servers, no authority, valid now', () => {
  const { cert, key } = createCertificate(['localhost'])
  const certificate = new X509Certificate(cert)
  assert.ok(certificate.verify(certificate.publicKey))
  assert.ok(!certificate.ca)
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  assert.ok(Date.parse(certificate.validFrom) < Date.now())
  assert.ok(Date.parse(certificate.validTo) > Date.now() + 300 * 86_400e3)
  assert.match(certificate.serialNumber, /^[4-7][0-9A-F]{31}$/)
  assert.match(key, /^-----BEGIN PRIVATE KEY-----/)
  assert.match(fingerprintOf(cert), /^[0-9a-f]{64}$/)
})

test('any names and addresses come out as they went in', () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,63}$/)
  const name = fc.array(label, { minLength: 1, maxLength: 3 }).map(labels => labels.join('.'))
  // Not what looks like a number to a URL, and would be an address there.
  const host = name.filter(text => /[g-z]$/.test(text) && !text.startsWith('xn--'))
  const names = fc.array(fc.oneof(host, fc.ipV4(), fc.ipV6()), { minLength: 1, maxLength: 40 })
  const property = fc.property(names, wanted => {
    const certificate = new X509Certificate(createCertificate(wanted).cert)
    for (const each of wanted) {
      const found = each.includes(':') || /^[\d.]+$/.test(each)
      assert.ok(found ? certificate.checkIP(each) : certificate.checkHost(each), each)
    }
  })
  fc.assert(property, { numRuns: short(50, 15) })
})

test('a server for every address is known by the name and addresses of its machine', () => {
  for (const host of ['0.0.0.0', '::']) {
    const names = namesOf(host)
    assert.ok(names.includes('127.0.0.1') && names.includes('::1') && names.includes('localhost'))
    assert.ok(names.includes(hostname()))
    assert.ok(!names.includes(host))
  }
  assert.deepEqual(namesOf('fe80::1%eth0').at(-1), 'fe80::1')
  assert.deepEqual(namesOf('127.0.0.1'), ['localhost', '127.0.0.1', '::1'])
})

test('DER as the standards have it', () => {
  // X.690, section 8.19.5, and the two kinds of time of RFC 5280.
  assert.deepEqual(oid('2.999.3'), Buffer.from('0603883703', 'hex'))
  assert.equal(time(new Date('2049-12-31T23:59:59Z')).toString('latin1', 2), '491231235959Z')
  assert.equal(time(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2), '20500101000000Z')
})
