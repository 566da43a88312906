/** The session in band, without sockets: whatever is cut wherever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frameHead, frameHeadBytes, frameKinds, SessionFrameReader } from './frames.ts'
import { writeFrame, type Bodies } from './frames.ts'
import { magic, modes, readAnswer, readHello, writeHello, type Hello } from './hello.ts'
import { Tracer } from './trace.ts'

const hellos = fc.record<Hello>(
  {
    mode: fc.constantFrom(...modes),
    id: fc.stringMatching(/^[0-9a-f]{32}$/),
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    flow: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    sizeBytes: fc.option(fc.integer({ min: 1, max: 65_536 }), { nil: undefined }),
    ratePerSecond: fc.option(fc.integer({ min: 1, max: 1e9 }), { nil: undefined }),
    cookie: fc.option(fc.string({ maxLength: 40 }), { nil: undefined }),
    warmupMs: fc.option(fc.nat(), { nil: undefined }),
    lastsMs: fc.option(fc.nat(), { nil: undefined }),
  },
  { noNullPrototype: true },
)

test('a hello is read whole, whatever follows it, and not before', () => {
  fc.assert(
    fc.property(hellos, fc.uint8Array({ maxLength: 50 }), (hello, rest) => {
      const bytes = writeHello(hello)
      const found = readHello(Buffer.concat([bytes, rest]))
      assert.deepEqual(found, { kind: 'hello', hello, bytes: bytes.length })
      for (let length = 0; length < bytes.length; length++) {
        const { kind } = readHello(bytes.subarray(0, length))
        assert.equal(kind, length < magic.length ? 'perhaps' : 'incomplete')
      }
    }),
    { numRuns: 30 },
  )
})

test('other bytes are no hello, from the first that differs on', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), bytes => {
      const same = magic.subarray(0, bytes.length).equals(bytes.subarray(0, magic.length))
      assert.equal(readHello(Buffer.from(bytes)).kind === 'other', !same)
    }),
  )
  for (let at = 0; at < magic.length; at++) {
    const bytes = Buffer.from(magic)
    bytes[at]! ^= 1
    assert.equal(readHello(bytes.subarray(0, at + 1)).kind, 'other')
  }
})

test('a hello that makes no sense is refused, another version is named', () => {
  const good = { mode: 'up', id: '0'.repeat(32), seed: 1, flow: 0 } as const
  const wrong: [object, RegExp][] = [
    [{ ...good, mode: 'sideways' }, /mode/],
    [{ ...good, id: 'x' }, /id/],
    [{ ...good, seed: -1 }, /seed/],
    [{ ...good, flow: 1.5 }, /flow/],
    [{ ...good, sizeBytes: 1e9 }, /size/],
    [{ ...good, ratePerSecond: 0 }, /rate/],
    [[], /mode/],
  ]
  for (const [hello, reason] of wrong) {
    const found = readHello(writeHello(hello as Hello))
    assert.match(found.kind === 'malformed' ? found.reason : '', reason)
  }
  assert.deepEqual(readHello(writeHello(good, 9)), { kind: 'version', version: 9 })
  const text = writeHello(good)
  text.fill('}', 20)
  assert.equal(readHello(text).kind, 'malformed')
})

test('an answer is told from an echo, although some of the magic may have been echoed', () => {
  const frame = writeFrame(frameKinds.accepted, {})
  for (let echoed = 0; echoed < magic.length; echoed++) {
    const bytes = Buffer.concat([magic.subarray(0, echoed), frame])
    assert.deepEqual(readAnswer(bytes), { kind: 'frames', at: echoed })
    assert.deepEqual(readAnswer(bytes.subarray(0, echoed)), { kind: 'incomplete' })
  }
  assert.deepEqual(readAnswer(magic), { kind: 'echoed' })
  for (const kind of Object.values(frameKinds)) assert.ok(!magic.includes(kind))
})

/** What a reader finds in a stream that is cut there. */
function read(stream: Buffer, cuts: readonly number[]) {
  const payload: Buffer[] = []
  const frames: [number, unknown][] = []
  const reader = new SessionFrameReader({
    onPayload: (chunk, from, to) => payload.push(chunk.subarray(from, to)),
    onFrame: (kind, body) => frames.push([kind, body]),
  })
  const places = [0, ...cuts.map(cut => cut % (stream.length + 1)), stream.length]
  const sorted = places.toSorted((a, b) => a - b)
  for (const [n, at] of sorted.slice(1).entries()) reader.push(stream.subarray(sorted[n], at))
  return { payload: Buffer.concat(payload), frames, broken: reader.broken }
}

test('frames are the same wherever the stream is cut', () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(bytes => ({ payload: Buffer.from(bytes) })),
    fc.nat().map(bytes => ({ report: { bytes, atMs: 1.5, wrongBytes: 0 } })),
  )
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
      const stream = sent.map(each =>
        'payload' in each
          ? Buffer.concat([frameHead(frameKinds.payload, each.payload.length), each.payload])
          : writeFrame(frameKinds.report, each.report),
      )
      const found = read(Buffer.concat(stream), cuts)
      const payload = sent.flatMap(each => ('payload' in each ? [each.payload] : []))
      const reports = sent.flatMap(each => ('report' in each ? [each.report] : []))
      assert.deepEqual(found, {
        payload: Buffer.concat(payload),
        frames: reports.map(report => [frameKinds.report, report]),
        broken: undefined,
      })
    }),
  )
})

test('what is no frame breaks the stream and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(fc.nat()), (bytes, cuts) => {
      read(Buffer.from(bytes), cuts)
    }),
  )
  assert.match(read(Buffer.from('GET / HTTP/1.1\r\n'), []).broken ?? '', /byte 0 is not a frame/)
  const gaps = '"firstMs":0,"lastMs":0,"chunks":1,"gaps":{"sumNs":0,"buckets":[]}'
  const ended = (end: string) => `{"bytes":1,"atMs":0,"wrongBytes":1,"end":{${gaps},${end}}}`
  const bodies = [
    '{',
    '[]',
    'null',
    '{"bytes":"many","atMs":0,"wrongBytes":0}',
    '{"end":null}',
    ended('"firstWrong":{"offset":0,"expected":"61","received":{}}'),
    ended('"datagrams":{"measured":"all"}'),
  ]
  for (const body of bodies) {
    const bytes = Buffer.from(body)
    const frame = Buffer.concat([frameHead(frameKinds.report, body.length, bytes), bytes])
    assert.match(read(frame, []).broken ?? '', /makes no sense/, body)
  }
  const huge = frameHead(frameKinds.report, 2 ** 30)
  assert.match(read(huge, []).broken ?? '', /not a frame/)
  const odd: Bodies[typeof frameKinds.refused] = { reason: 'no' }
  assert.deepEqual(read(writeFrame(frameKinds.refused, odd), []).frames, [[0xb2, odd]])
})

test('a frame that was changed on the way breaks the stream, whichever bit it was', () => {
  const report = writeFrame(frameKinds.report, { bytes: 1_000, atMs: 20, wrongBytes: 0 })
  const payload = Buffer.concat([frameHead(frameKinds.payload, 5), Buffer.from('bytes')])
  for (const [frame, checked] of [
    [report, report.length],
    [payload, frameHeadBytes],
  ] as const)
    for (let bit = 0; bit < checked * 8; bit++) {
      const changed = Buffer.concat([frame, report, report])
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const { broken, frames } = read(changed, [])
      const isAwaited = changed.readUInt32BE(4) > changed.length - frameHeadBytes
      assert.ok(broken !== undefined || isAwaited, `bit ${bit} of ${frame.toString('hex')}`)
      assert.deepEqual(frames, [])
    }
})

test('a trace is bounded, and keeps how the connection ended', () => {
  const tracer = new Tracer(1000)
  for (let n = 0; n < 3000; n++) tracer.bytes(Buffer.alloc(10, n), 1000 + n * 10)
  tracer.bytes(Buffer.from('end'), 1000 + 2999 * 10 + 1)
  tracer.note('fin', 40_000)
  const { found } = tracer
  assert.equal(found.bytesIn, 30_003)
  assert.equal(found.events.length, 1001)
  assert.equal(found.eventsLeftOut, 2001)
  assert.deepEqual(found.events.at(-1), { atMs: 39_000, what: 'fin' })
  assert.deepEqual(found.events[1], { atMs: 10, what: 'bytes', bytes: 10, untilMs: 10 })
  assert.ok(found.tail.endsWith(Buffer.from('end').toString('hex')))
})
