/** Datagrams of a session: read as they were written, whatever comes, and joined by the system. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import { headKey, payloadHeadBytes, writePayloadHead } from './payload-head.ts'
import {
  Cookies,
  datagramKinds,
  lengthOfFirst,
  otherHeadBytes,
  piecesMaxBytes,
  questionBytes,
  readOther,
  readPiece,
  separated,
  wordOf,
  writeOther,
  writePiece,
} from './session.ts'

const word = fc.nat(2 ** 32 - 1)
const numRuns = short(1_000, 100)

test('the word of a session is the beginning of its id', () => {
  assert.equal(wordOf('ffffffff000000000000000000000000'), 2 ** 32 - 1)
})

test('any body is read as it was written, padded or not; cut anywhere it makes no sense', () => {
  const body = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 4 })
  const property = fc.property(body, word, fc.nat(questionBytes), (wanted, session, bytes) => {
    const datagram = writeOther(datagramKinds.end, session, wanted, bytes)
    const text = JSON.stringify(wanted)
    const least = otherHeadBytes + Buffer.byteLength(text)
    assert.equal(datagram.length, Math.max(bytes, least))
    assert.equal(JSON.stringify(readOther(datagram)), text)
    for (let length = 0; length < least; length += 1 + (least >> 5))
      assert.equal(readOther(datagram.subarray(0, length)), undefined)
    assert.equal(readOther(datagram.subarray(0, least - 1)), undefined)
  })
  fc.assert(property, { numRuns })
})

test('what was changed on the way makes no sense, whichever bit it was', () => {
  const other = writeOther(datagramKinds.report, 7, { bytes: 1_000, atMs: 20, wrongBytes: 0 }, 99)
  const piece = writePiece(7, Buffer.from('{"bytes":1}'), 0)
  for (const [whole, reading] of [
    [other, readOther],
    [piece, readPiece],
  ] as const)
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const changed = Buffer.from(whole)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(reading(changed), undefined, `bit ${bit}`)
    }
})

test('whatever comes is read, or makes no sense', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 60 }), fc.jsonValue(), (bytes, value) => {
    const body = readOther(Buffer.from(bytes))
    assert.ok(body === undefined || typeof body === 'object')
    const piece = readPiece(Buffer.from(bytes))
    assert.ok(piece === undefined || bytes.length >= otherHeadBytes + 8)
    const said = readOther(writeOther(datagramKinds.end, 0, value as object))
    assert.equal(said === undefined, typeof value !== 'object' || value === null)
  })
  fc.assert(property, { numRuns })
})

test('a report of any length comes back from its pieces, none longer than the question', () => {
  const length = fc.oneof(
    fc.nat(5_000),
    fc.constantFrom(0, 1, 2, 3).map(n => n * piecesMaxBytes),
  )
  const property = fc.property(length, word, (bytes, session) => {
    const report = Buffer.alloc(bytes, 'a report, ')
    const all: Buffer[] = []
    for (let from = 0; from < bytes;) {
      const datagram = writePiece(session, report, from)
      assert.ok(datagram.length <= questionBytes)
      const piece = readPiece(datagram)!
      assert.deepEqual([piece.from, piece.total], [from, bytes])
      all.push(piece.bytes)
      from += piece.bytes.length
    }
    assert.ok(Buffer.concat(all).equals(report))
  })
  fc.assert(property, { numRuns: short(200, 30) })
})

test('a cookie is good at its own address only, for ten seconds, and at most twenty', () => {
  const cookies = new Cookies(Buffer.from('secret'))
  const at = fc.nat(1e9)
  const property = fc.property(
    fc.ipV4(),
    fc.nat(65_535),
    at,
    fc.string(),
    (host, port, ms, any) => {
      const cookie = cookies.of(host, port, ms)
      for (const later of [0, 9_999, 10_000])
        assert.ok(cookies.isGood(cookie, host, port, ms + later))
      assert.ok(!cookies.isGood(cookie, host, port, ms + 20_000))
      assert.ok(!cookies.isGood(cookie, host, (port + 1) & 0xffff, ms))
      assert.ok(!cookies.isGood(cookie, `1${host}`, port, ms))
      assert.ok(!new Cookies(Buffer.from('other')).isGood(cookie, host, port, ms))
      for (const wrong of [any, '', cookie.slice(1), `${cookie}0`, cookie.toUpperCase() + any])
        assert.ok(wrong === cookie || !cookies.isGood(wrong, host, port, ms))
    },
  )
  fc.assert(property, { numRuns })
})

test('each datagram of a server says how long it is', () => {
  const payload = Buffer.alloc(300)
  writePayloadHead(payload, headKey(7, 1, 0), { flags: 0, sequence: 1, sentNs: 1 })
  const report = Buffer.alloc(piecesMaxBytes + 100)
  const whole = [
    payload,
    writeOther(datagramKinds.report, 7, { bytes: 1 }),
    writeOther(datagramKinds.end, 7, { sentBytes: 1 }),
    writePiece(7, report, 0),
    writePiece(7, report, piecesMaxBytes),
    writePiece(7, report, report.length),
  ]
  for (const datagram of whole)
    for (const behind of [Buffer.alloc(0), datagram])
      assert.equal(lengthOfFirst(Buffer.concat([datagram, behind]), 300), datagram.length)
})

test('where the kind of a payload was changed, each datagram behind it is found', () => {
  const payload = Buffer.alloc(300)
  writePayloadHead(payload, headKey(7, 1, 0), { flags: 0, sequence: 1, sentNs: 1e9 })
  for (let bit = 0; bit < 8; bit++) {
    payload[0] = datagramKinds.payload ^ (1 << bit)
    assert.equal(lengthOfFirst(Buffer.concat([payload, payload]), 300), 300, `${payload[0]}`)
  }
})

test('what was joined is separated; what was made longer stays one', () => {
  const payload = Buffer.alloc(300)
  writePayloadHead(payload, headKey(7, 1, 0), { flags: 0, sequence: 1, sentNs: 1 })
  const end = writeOther(datagramKinds.end, 7, { sentBytes: 1 })
  const changed = Buffer.from(payload)
  changed[0] = 0
  const lengthsOf = (...joined: Buffer[]) =>
    separated(Buffer.concat(joined), 300, 7).map(({ length }) => length)
  assert.deepEqual(lengthsOf(payload, changed, payload, end), [300, 300, 300, end.length])
  assert.deepEqual(lengthsOf(payload, Buffer.of(1)), [301])
  assert.deepEqual(lengthsOf(payload, Buffer.alloc(100, 0xee)), [400])
  assert.deepEqual(lengthsOf(end, end), [end.length, end.length])
  assert.deepEqual(lengthsOf(), [])
})

test('what makes no sense has a length, too', () => {
  const odd = Buffer.alloc(payloadHeadBytes, 0xbb)
  for (let length = 1; length <= odd.length; length++)
    assert.ok(lengthOfFirst(odd.subarray(0, length), 300) > 0)
})
