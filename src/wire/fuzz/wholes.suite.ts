/** Parsers of what is complete: a datagram, a head, a file. */
import assert from 'node:assert/strict'
import { toAddress } from '../../vocabulary/address.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { ProtocolError } from '../../vocabulary/peer-errors.ts'
import { magic } from '../direction/hello.ts'
import { parseHead, parseStart, splitHeader } from '../http/answer-head.ts'
import { parseHeaders, showHeader } from '../http/headers.ts'
import { createCertificate, fingerprintOf } from '../tls/certificate.ts'
import { checkCalling, identityFor } from '../tls/credentials.ts'
import { tlsMeaning } from '../tls/failures.ts'
import * as heads from '../udp/payload-head.ts'
import * as datagrams from '../udp/session.ts'
import * as upgrade from '../ws/upgrade.ts'
import { httpWords, jsonWords, lines, type Whole } from './parser.suite.ts'

const text = (bytes: Buffer) => bytes.toString('latin1')
const server = toAddress('tls://127.0.0.1:9')
const identity = createCertificate(['localhost'])
const report = { bytes: 1, atMs: 1, wrongBytes: 0 }
const upgradeRequest = Buffer.from(
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
)

export const wholes: Whole[] = [
  {
    kind: 'whole',
    files: ['http/answer-head.ts'],
    words: httpWords,
    samples: [Buffer.from('HTTP/1.1 200 OK\r\nA: 1')],
    refusal: ProtocolError,
    read: bytes => {
      for (const parse of [parseStart, splitHeader, parseHead])
        try {
          parse(text(bytes))
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
        }
    },
  },
  {
    kind: 'whole',
    files: ['http/headers.ts'],
    words: [...lines, '#', 'Authorization', 'Host', 'Content-Length', 'X-Header: value'],
    samples: [Buffer.from('A: 1\nB: 2')],
    refusal: UserError,
    read: bytes => parseHeaders(bytes.toString()).map(([name]) => showHeader(`${name}: x`)),
  },
  {
    kind: 'whole',
    files: ['ws/upgrade.ts'],
    words: [...httpWords, 'GET / HTTP/1.1\r\n', 'Upgrade: websocket\r\n', 'Sec-WebSocket-Key: '],
    samples: [upgradeRequest],
    read(bytes) {
      const said = text(bytes)
      const end = said.indexOf('\r\n\r\n')
      upgrade.mayBeRequest(said, said.length >> 1)
      const request = upgrade.parseRequest(end === -1 ? said : said.slice(0, end))
      if (Array.isArray(request)) {
        upgrade.refusalText(request)
        return
      }
      const answer = upgrade.upgradeRefusalOf(request, ['http://a']) ?? upgrade.acceptance(request)
      // No header of the client begins a line of the answer.
      if (typeof answer === 'string') assert.ok(answer.split('\r\n').length <= 7)
    },
  },
  {
    kind: 'whole',
    files: ['udp/session.ts', 'udp/payload-head.ts'],
    words: [...Object.values(datagrams.datagramKinds).map(kind => Buffer.of(kind)), ...jsonWords],
    samples: [
      datagrams.writeOther(datagrams.datagramKinds.report, 1, report),
      datagrams.writePiece(1, Buffer.alloc(2_000), 100),
    ],
    read(bytes) {
      datagrams.readOther(bytes)
      const piece = datagrams.readPiece(bytes)
      assert.ok(!piece || piece.bytes.length < bytes.length)
      assert.ok(bytes.length === 0 || datagrams.lengthOfFirst(bytes, 300) > 0)
      const standing = heads.payloadStanding(bytes, heads.headKey(1, 2, 3), 300)
      assert.ok(standing !== 'right' || bytes.length >= heads.payloadHeadBytes)
      assert.ok(!new datagrams.Cookies(magic).isGood(text(bytes), '192.0.2.1', 1, 1))
    },
  },
  {
    kind: 'whole',
    files: ['tls/credentials.ts', 'tls/certificate.ts'],
    words: ['-----BEGIN CERTIFICATE-----\n', '-----END CERTIFICATE-----\n', 'MIIB', '=', '\n'],
    samples: [Buffer.from(identity.cert), Buffer.from(identity.key)],
    refusal: UserError,
    weight: 10,
    read(bytes) {
      const pem = bytes.toString()
      const checks = [
        () => checkCalling({ tls: { ca: pem } }),
        () => checkCalling({ tls: { pin: pem } }),
        () => checkCalling({ tls: { cert: pem, key: identity.key } }),
        () => checkCalling({ tls: { cert: identity.cert, key: pem } }),
        () => fingerprintOf(identityFor(server, { cert: pem, key: pem })!.cert),
      ]
      for (const check of checks)
        try {
          check()
        } catch (error) {
          if (!(error instanceof UserError)) throw error
        }
    },
  },
  {
    kind: 'whole',
    files: ['tls/failures.ts'],
    words: ['ERR_SSL_', 'WRONG_VERSION_NUMBER', '\x1b[31m', Buffer.from('\u202e'), 'DNS:'],
    samples: [Buffer.from('ERR_SSL_WRONG_VERSION_NUMBER')],
    read(bytes) {
      const said = bytes.toString()
      const cert = { subjectaltname: said }
      for (const code of [said, `ERR_SSL_${said}`, 'ERR_TLS_CERT_ALTNAME_INVALID']) {
        const error = Object.assign(new Error(said), { code, reason: said, cert })
        const [cause = ''] = tlsMeaning(error) ?? []
        // What the other side wrote cannot move a cursor.
        // oxlint-disable-next-line no-control-regex
        assert.doesNotMatch(cause, /[\0-\x1f\x7f]/)
      }
    },
  },
]
