/** Datagrams of a session that the system has joined. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  datagramKinds,
  lengthOfFirst,
  payloadHeadBytes,
  piecesMaxBytes,
  writeOther,
  writePayloadHead,
  writePiece,
} from './session.ts'

test('each datagram of a server says how long it is', () => {
  const payload = Buffer.alloc(300)
  writePayloadHead(payload, 7, { flags: 0, sequence: 1, sentNs: 1 })
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

test('what makes no sense has a length, too', () => {
  const odd = Buffer.alloc(payloadHeadBytes, 0xbb)
  for (let length = 1; length <= odd.length; length++)
    assert.ok(lengthOfFirst(odd.subarray(0, length), 300) > 0)
})
