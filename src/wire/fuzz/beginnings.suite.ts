/** Parsers of a beginning: they look at all that has come, until it is enough. */
import assert from 'node:assert/strict'
import { toAddress, type HostAddress } from '../../vocabulary/address.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { magic, readAnswer, readHello, writeHello } from '../direction/hello.ts'
import { readTunnelAnswer } from '../http/tunnel.ts'
import { readProxyHeader, writeProxyHeader } from '../proxy-header.ts'
import { askUpgrade, readUpgrade } from '../ws/client-upgrade.ts'
import { httpWords, jsonWords, lines, type Beginning } from './parser.suite.ts'

const address = toAddress('ws://127.0.0.1:9') as HostAddress
const asked = askUpgrade(address, [])
const upgradeAnswer = Buffer.from(
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Accept: ${asked.accept}\r\n\r\n`,
)
const hello = writeHello({ mode: 'up', id: '0'.repeat(32), seed: 1, flow: 0 })
const forwarded = {
  source: '192.0.2.1',
  sourcePort: 1,
  destination: '192.0.2.2',
  destinationPort: 2,
}
const forwarded6 = { ...forwarded, source: '2001:db8::1', destination: '2001:db8::2' }

export const beginnings: Beginning[] = [
  {
    kind: 'beginning',
    files: ['proxy-header.ts'],
    words: ['PROXY ', 'TCP4 ', 'TCP6 ', 'UNKNOWN', '192.0.2.1', '::1', '65536', ...lines],
    samples: ([1, 2] as const).flatMap(version => [
      writeProxyHeader(version, forwarded),
      writeProxyHeader(version, forwarded6),
      writeProxyHeader(version, undefined),
    ]),
    needsMore(bytes) {
      const read = readProxyHeader(bytes)
      if (read.kind === 'present') assert.ok(read.lengthBytes <= bytes.length)
      return read.kind === 'incomplete'
    },
    decidesWithinBytes: 16 + 8_192,
  },
  {
    kind: 'beginning',
    files: ['direction/hello.ts'],
    words: [magic, hello.subarray(0, 20), '"mode"', '"up"', '"seed"', ...jsonWords],
    samples: [hello, writeHello({ mode: 'trace', id: 'f'.repeat(32), seed: 0, flow: 1 })],
    needsMore(bytes) {
      const answer = readAnswer(bytes)
      if (bytes.length >= magic.length) assert.notEqual(answer.kind, 'incomplete')
      const { kind } = readHello(bytes)
      return kind === 'perhaps' || kind === 'incomplete'
    },
    decidesWithinBytes: 20 + 4_096,
  },
  {
    kind: 'beginning',
    files: ['http/tunnel.ts'],
    words: httpWords,
    samples: [Buffer.from('HTTP/1.1 200 Connection established\r\nA: 1\r\n\r\n')],
    needsMore(bytes) {
      assert.notEqual(readTunnelAnswer(bytes, true), undefined)
      return readTunnelAnswer(bytes, false) === undefined
    },
    decidesWithinBytes: 16_384,
  },
  {
    kind: 'beginning',
    files: ['ws/client-upgrade.ts', 'ws/accept.ts'],
    words: [...httpWords, asked.accept, 'Upgrade: websocket\r\n', 'Sec-WebSocket-Accept: '],
    samples: [upgradeAnswer],
    refusal: UserError,
    needsMore: bytes => readUpgrade(bytes, asked, address) === 0,
    decidesWithinBytes: 16 * 1024 + 1,
  },
]
