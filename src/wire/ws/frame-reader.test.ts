/** The reader of frames, compared with that of the package `ws`, on bytes cut anywhere. */
import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import * as ws from 'ws'
import { found, WsFrameReader } from './frame-reader.ts'
import { headBytes, putFrame, putHeader } from './frames.ts'
import { Memory, rotated, unmask } from './mask.ts'

const maxBytes = 3000

/** What was found, as text: its kind, its bytes; of an end its code. */
type Event = string

interface Shape {
  opcode: number
  payload: Buffer
  fin: boolean
  reserved: number
  /** Whether it has a mask exactly where it should have one. */
  masked: boolean
  /** How many bytes say the length, if they are enough. */
  lengthBytes: 0 | 2 | 8
  /** How much longer than its payload the frame says it is. */
  lie: number
}

const mask = Buffer.of(0x37, 0xfa, 0x21, 0x3d)

/** @param usual whether it has a mask unless something is wrong with it */
function encode(shape: Shape, usual: boolean): Buffer {
  const { opcode, payload, fin, reserved, lengthBytes, lie } = shape
  const masked = shape.masked === usual
  const length = payload.length + lie
  const least = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const size = Math.max(least, lengthBytes)
  const head = Buffer.alloc(2 + size)
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  head[1] = (masked ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127)
  if (size === 2) head.writeUInt16BE(length, 2)
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2)
  if (!masked) return Buffer.concat([head, payload])
  return Buffer.concat([head, mask, payload.map((byte, n) => byte ^ mask[n & 3]!)])
}

const rarely = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 30, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })
const payload = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }).map(text => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
  fc.constantFrom(0, 1, 125, 126, 127, 1500, 3000, 3001).map(size => Buffer.alloc(size, 'ab€')),
)
const close = fc
  .tuple(fc.constantFrom(1000, 1001, 1004, 1005, 1006, 1014, 1015, 2999, 3000, 4999, 5000), payload)
  .map(([code, reason]) => Buffer.concat([Buffer.of(code >> 8, code), reason.subarray(0, 60)]))
const frame = fc
  .record({
    opcode: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom(0, 1, 2, 9, 10) },
      { weight: 1, arbitrary: fc.nat(15) },
    ),
    payload,
    fin: fc.boolean(),
    reserved: rarely(0, fc.nat(7)),
    masked: rarely(true, fc.boolean()),
    lengthBytes: fc.constantFrom(0, 2, 8),
    lie: rarely(0, fc.constantFrom(1, 200, 70_000, 2 ** 40, 2 ** 53)),
  })
  .chain(shape =>
    // Control frames are mostly as they should be; else there would be hardly anything behind one.
    shape.opcode < 8
      ? fc.constant(shape)
      : fc.record({
          ...Object.fromEntries(
            Object.entries(shape).map(([name, value]) => [name, fc.constant(value)]),
          ),
          payload:
            shape.opcode === 8
              ? close
              : rarely(shape.payload.subarray(0, 125), fc.constant(shape.payload)),
          fin: rarely(true, fc.constant(shape.fin)),
        }),
  ) as fc.Arbitrary<Shape>

/** Fragments in order, so that whole messages are found, too. */
const message = fc
  .tuple(fc.constantFrom(1, 2), fc.array(payload, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([opcode, pieces, pings]) =>
    pieces.flatMap((payload, n): Shape[] => {
      const usual = { fin: true, reserved: 0, masked: true, lengthBytes: 0 as const, lie: 0 }
      const fin = n === pieces.length - 1
      const one = { ...usual, opcode: n === 0 ? opcode : 0, payload, fin }
      return pings ? [one, { ...usual, opcode: 9, payload: Buffer.from('between') }] : [one]
    }),
  )
const stream = fc
  .array(
    fc.oneof(
      { weight: 2, arbitrary: message },
      frame.map(one => [one]),
    ),
    { maxLength: 8 },
  )
  .map(all => all.flat())

/** What the package finds; its types do not name the class. */
function oracle(bytes: Buffer, isServer: boolean): Event[] {
  type Refuses = { createError(...of: [unknown, string, boolean, code: number]): Error }
  const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable & Refuses }
  const receiver = new Receiver({ isServer, maxPayload: maxBytes })
  const events: Event[] = []
  const say = (name: string) => (data: Buffer) => events.push(`${name} ${data.toString('hex')}`)
  receiver.on('message', (data: Buffer, binary: boolean) => say(binary ? 'binary' : 'text')(data))
  receiver.on('ping', say('ping')).on('pong', say('pong'))
  receiver.on('conclude', (code: number, reason: Buffer) =>
    events.push(`close ${code} ${reason.toString('hex')}`),
  )
  // The event comes later.
  receiver.on('error', () => {})
  const createError = receiver.createError.bind(receiver)
  receiver.createError = (...of) => {
    events.push(`failure ${of[3]}`)
    return createError(...of)
  }
  receiver.write(Buffer.from(bytes))
  return events
}

/** What ours finds, and what it leaves of the memory where it moves payloads. */
function read(pieces: Buffer[], isMasked: boolean, moves: boolean): Event[] {
  const reader = new WsFrameReader(isMasked, maxBytes)
  const events: Event[] = []
  const names = { 1: 'text', 2: 'binary' } as Record<number, string>
  for (const piece of pieces) {
    const memory = new Memory(Uint8Array.prototype.slice.call(piece))
    reader.cursor = moves ? 0 : -1
    reader.give(memory, 0, piece.length)
    for (let what; (what = reader.next()) !== found.NONE;) {
      const { bytes, at, length, code } = reader
      const data = Buffer.from(bytes.slice(at, at + length))
      if (moves && !reader.isCopy) reader.cursor = at + length
      if (what === found.MESSAGE) events.push(`${names[reader.opcode]} ${data.toString('hex')}`)
      else if (what === found.PING) events.push(`ping ${data.toString('hex')}`)
      else if (what === found.PONG) events.push(`pong ${data.toString('hex')}`)
      else if (what === found.CLOSE) events.push(`close ${code} ${data.toString('hex', 2)}`)
      else events.push(`failure ${code}`)
    }
  }
  return events
}

/** Cut at these places, or everywhere. */
function cut(bytes: Buffer, places: number[] | 'everywhere'): Buffer[] {
  if (places === 'everywhere') return Array.from(bytes, (_, n) => bytes.subarray(n, n + 1))
  const at = places.map(place => place % (bytes.length + 1)).toSorted((a, b) => a - b)
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n] ?? bytes.length))
}

const places = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.nat(5000), { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant('everywhere' as const) },
)

test('any frames, cut anywhere: the same is found as by another reader', () => {
  fc.assert(
    fc.property(
      fc.record({ stream, places, missing: rarely(0, fc.nat(20)) }),
      fc.boolean(),
      fc.boolean(),
      ({ stream, places, missing }, isServer, moves) => {
        const all = Buffer.concat(stream.map(shape => encode(shape, isServer)))
        const bytes = all.subarray(0, Math.max(0, all.length - missing))
        assert.deepEqual(read(cut(bytes, places), isServer, moves), oracle(bytes, isServer))
      },
    ),
    { numRuns: 200 },
  )
})

test('where payloads are moved, each has room for its head before it', () => {
  const payloads = [0, 1, 64, 125, 126, 300, 65_536].map(size => Buffer.alloc(size, `${size}.`))
  const bytes = Buffer.alloc(70_000)
  let to = 3
  for (const payload of payloads) to = putFrame(bytes, to, 2, payload, true)
  const memory = new Memory(bytes)
  const reader = new WsFrameReader(true, 2 ** 20)
  reader.give(memory, 3, to)
  reader.cursor = 3
  for (const payload of payloads) {
    assert.equal(reader.next(), found.MESSAGE)
    const head = headBytes(payload.length)
    assert.equal(reader.at, reader.cursor + head)
    putHeader(bytes, reader.cursor, 2, payload.length, false)
    reader.cursor = reader.at + payload.length
  }
  assert.equal(reader.next(), found.NONE)
  let from = 3
  for (const payload of payloads) {
    from += headBytes(payload.length)
    assert.ok(bytes.subarray(from, from + payload.length).equals(payload))
    from += payload.length
  }
  assert.equal(from, reader.cursor)
})

test('a mask is taken off wherever the bytes lie, and nothing beside them is touched', () => {
  const sizes = fc.oneof(fc.nat(20), fc.constantFrom(255, 256, 257, 1001))
  fc.assert(
    fc.property(
      sizes,
      fc.nat(9),
      fc.nat(9),
      fc.nat(3),
      fc.integer(),
      (size, to, gap, base, mask) => {
        const memory = new Memory(new Uint8Array(1100).subarray(base))
        const { bytes } = memory
        for (let n = 0; n < bytes.length; n++) bytes[n] = n * 7
        const before = bytes.slice()
        const from = to + gap
        unmask(memory, from, to, size, mask)
        for (let n = 0; n < bytes.length; n++) {
          const isMoved = n >= to && n < to + size
          const byte = (mask >>> (((n - to) & 3) * 8)) & 0xff
          const right = isMoved ? before[n + gap]! ^ byte : before[n]
          assert.equal(bytes[n], right, `${n}`)
        }
        assert.equal(rotated(mask, size) >>> 0, rotated(rotated(mask, 1), size + 3) >>> 0)
      },
    ),
    { numRuns: 200 },
  )
})
