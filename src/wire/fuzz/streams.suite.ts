/** Parsers of streams: they keep what is not complete, within limits. */
import assert from 'node:assert/strict'
import { ProtocolError } from '../../vocabulary/peer-errors.ts'
import { frameHead, frameKinds, SessionFrameReader, writeFrame } from '../direction/frames.ts'
import { Tracer } from '../direction/trace.ts'
import { AnswerParser } from '../http/answer-parser.ts'
import { Guard } from '../udp/guard.ts'
import { found, WsFrameReader } from '../ws/frame-reader.ts'
import { frameHeader, maskedFrame } from '../ws/frames.ts'
import { Memory } from '../ws/mask.ts'
import { httpWords, jsonWords, type Stream } from './parser.suite.ts'

const answers = [
  'HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a="b"\r\nhello\r\n0\r\nT: 1\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nto the end',
].map(sample => Buffer.from(sample))
const report = { bytes: 1, atMs: 1, wrongBytes: 0 }
const ends = { firstMs: 0, lastMs: 0, chunks: 1, gaps: { sumNs: 0, buckets: [] } }
const frames = [
  writeFrame(frameKinds.accepted, { from: '192.0.2.1' }),
  writeFrame(frameKinds.report, { ...report, end: ends }),
  Buffer.concat([frameHead(frameKinds.payload, 5), Buffer.from('hello')]),
]
const frameHeads = Object.values(frameKinds).flatMap(kind =>
  [0, 5, 2 ** 20, 2 ** 32 - 1].map(length => frameHead(kind, length)),
)
const messageMaxBytes = 2 ** 18
const wsHeads = [0x00, 0x01, 0x02, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc2].flatMap(first =>
  ['80', '85', 'fe0200', 'ff0000000000040000', 'ff7fffffffffffffff'].map(length =>
    Buffer.concat([Buffer.of(first), Buffer.from(`${length}01020304`, 'hex')]),
  ),
)

/** A reader of frames, of a server or of a client. */
const wsFrames = (isMasked: boolean) => () => {
  const reader = new WsFrameReader(isMasked, messageMaxBytes)
  return (piece: Buffer): boolean => {
    reader.give(new Memory(Uint8Array.from(piece)), 0, piece.length)
    for (;;) {
      const what = reader.next()
      if (what === found.NONE) return true
      if (what === found.FAILURE || what === found.CLOSE) return false
      const { bytes, at, length } = reader
      assert.ok(length <= messageMaxBytes && at + length <= bytes.length)
    }
  }
}

export const streams: Stream[] = [
  {
    kind: 'stream',
    files: ['direction/frames.ts', 'ws/joined.ts'],
    words: [...frameHeads, '"bytes"', '"end"', '"gaps"', ...jsonWords],
    samples: frames,
    open() {
      const reader = new SessionFrameReader({
        onPayload: (chunk, from, to) => assert.ok(from <= to && to <= chunk.length),
        onFrame: (_, body) => assert.equal(typeof body, 'object'),
      })
      return piece => {
        reader.push(piece)
        return reader.broken === undefined
      }
    },
    holdsMaxBytes: 2 ** 20,
    endless: [
      [frameHead(frameKinds.report, 2 ** 20), ' '],
      [frameHead(frameKinds.payload, 2 ** 32 - 1), 'payload'],
    ],
  },
  {
    kind: 'stream',
    files: ['direction/trace.ts'],
    pieceCost: 4,
    words: ['bytes'],
    samples: [Buffer.from('any bytes')],
    open() {
      const tracer = new Tracer(0)
      let nowMs = 0
      return piece => {
        tracer.bytes(piece, (nowMs += 10))
        if (nowMs % 1_000 === 0) assert.ok(tracer.found.events.length <= 1_000)
        return true
      }
    },
    holdsMaxBytes: 2 ** 20,
    endless: [['', 'bytes']],
  },
  {
    kind: 'stream',
    files: ['http/answer-parser.ts', 'http/answer-head.ts'],
    words: httpWords,
    samples: answers,
    refusal: ProtocolError,
    // It looks at all of a head again when a piece of it comes.
    pieceCost: 20,
    open() {
      let answers = 0
      const parser = new AnswerParser({
        onHead: () => void answers++,
        onBody: () => assert.ok(answers > 0),
        onEnd: () => {},
        onTrailer: () => {},
      })
      return piece => {
        parser.feed(piece)
        return true
      }
    },
    // The last piece that came lies beside what was kept.
    holdsMaxBytes: 2 * 64 * 1024,
    endless: [
      ['HTTP/1.1 200 OK\r\nA: ', 'a'],
      ['HTTP/1.1 200 OK\r\n', 'A: 1\r\n'],
      ['HTTP/1.1 200 ', 'x'],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1;a=b\r\n'],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1', ';a=b'],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', 'T: 1\r\n'],
      ['', 'HTTP/1.1 100 Continue\r\n\r\n'],
      ['', '\r\n'],
      ['HTTP/1.1 200 OK\r\n\r\n', 'to the end'],
    ],
  },
  {
    kind: 'stream',
    files: ['udp/guard.ts', 'udp/recent.ts'],
    words: ['datagram', '\0'],
    samples: [Buffer.from('a datagram')],
    open() {
      const guard = new Guard({ ratePerSource: 10, allow: [] }, new Uint16Array(65_536), new Set())
      let n = 0
      return piece => {
        // Each comes from another address, and all of them are new.
        n++
        const octets = [1 + ((n >> 24) & 0x7f), (n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff]
        guard.refusal(piece, octets.join('.'), 1024 + (n % 60_000), n / 10)
        return true
      }
    },
    // A few thousand sources of either age.
    holdsMaxBytes: 24 * 2 ** 20,
    weight: 10,
    pieceCost: 2,
    endless: [['', 'datagram']],
  },
  ...([true, false] as const).map((isMasked): Stream => {
    const payload = Buffer.from('a message')
    const whole = isMasked
      ? maskedFrame(2, payload)
      : Buffer.concat([frameHeader(2, payload.length), payload])
    const length = Buffer.from('0000000000040000', 'hex')
    const head = Buffer.concat([Buffer.of(0x02, isMasked ? 0xff : 0x7f), length])
    return {
      kind: 'stream',
      files: ['ws/frame-reader.ts', 'ws/mask.ts', 'ws/mask-many.ts', 'ws/closing.ts'],
      words: [...wsHeads, whole, Buffer.from('\u20ac'), 'text'],
      samples: [whole, isMasked ? maskedFrame(9, payload) : frameHeader(10, 0)],
      open: wsFrames(isMasked),
      pieceCost: 4,
      // A joined message, and the memory that is kept for the next one.
      holdsMaxBytes: 2 * messageMaxBytes,
      endless: [
        [head, 'x'],
        isMasked ? ['\x01\x80mask', '\0\x80mask'] : ['\x01\0', '\0\0'],
        isMasked ? ['\x01\x80mask', '\0\x81maskx'] : ['\x01\0', '\0\x01x'],
      ],
    }
  }),
]
