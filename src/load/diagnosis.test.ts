/** Streams are damaged in every way, anywhere, and the damage is called by its name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { diagnose, type Diagnosis } from './diagnosis.ts'
import { copyOf, createPayload, firstWrongByte, type Payload } from './payload.ts'
import type { Cause, InFlight } from './wrong-bytes.ts'

/** What is damaged: `length` bytes at `offset` of a stream, and `more` come behind the damage. */
interface Place {
  seed: number
  connection: number
  offset: number
  length: number
  more: number
  /** Decides what the damage is free to choose. */
  luck: number
}

/** Making a table takes a millisecond or two. */
const payloads = Array.from({ length: 8 }, (_, seed) =>
  createPayload({ kind: 'seeded', seed: seed * 0x1234567 }),
)
const othersCount = 3
const otherOffset = (place: Place, n: number) => (place.luck * (n + 7919)) % 3e6

class Scene {
  readonly payload: Payload
  readonly place: Place
  readonly others: InFlight[]

  constructor(place: Place) {
    this.place = place
    this.payload = payloads[place.seed % payloads.length]!
    this.others = Array.from({ length: othersCount }, (_, n) => {
      const receivedBytes = otherOffset(place, n)
      const issuedBytes = receivedBytes + place.length
      return { connection: place.connection + n + 1, receivedBytes, issuedBytes }
    })
  }

  /** Bytes of the stream, from the place on. */
  own(from: number, bytes: number): Buffer {
    return copyOf(this.payload, this.place.connection, this.place.offset + from, bytes)
  }

  /** Random bytes of no stream. */
  noise(bytes: number): Buffer {
    return copyOf(createPayload({ kind: 'seeded', seed: 99 }), 5, this.place.luck, bytes)
  }

  /** @param inFlightBytes what was sent and had not come back when the damage came */
  diagnose(inFlightBytes: number, ...pieces: Buffer[]): Diagnosis | undefined {
    const { connection, offset } = this.place
    const received = Buffer.concat(pieces)
    const at = firstWrongByte(this.payload, connection, offset, received)
    const right = at === -1 ? received.length : Math.min(at, inFlightBytes)
    if (right === received.length) return undefined
    const receivedBytes = offset + right
    const issuedBytes = offset + inFlightBytes
    const wrong = { connection, receivedBytes, issuedBytes }
    return diagnose(this.payload, wrong, received.subarray(right), this.others)
  }
}

/** Each kind of damage; a piece of less than four bytes cannot be told from noise. */
const damages: Record<string, [Cause, least: number, (scene: Scene) => Diagnosis | undefined]> = {
  'one bit is flipped': [
    'corrupted',
    1,
    scene => {
      const { length, more, luck } = scene.place
      const received = scene.own(0, length + more)
      received[0]! ^= 1 << (luck % 8)
      return scene.diagnose(length + more, received)
    },
  ],
  'bits are flipped here and there': [
    'corrupted',
    1,
    scene => {
      const { length, more, luck } = scene.place
      const received = scene.own(0, length + more)
      for (let at = 0; at < length; at += 20 + (luck % 99)) received[at]! ^= 1 << ((luck + at) % 8)
      return scene.diagnose(length + more, received)
    },
  ],
  'a piece is overwritten': [
    'corrupted',
    1,
    scene => {
      const { length, more } = scene.place
      return scene.diagnose(length + more, scene.noise(length), scene.own(length, more))
    },
  ],
  'a piece is left out': [
    'missing',
    1,
    scene => {
      const { length, more } = scene.place
      return scene.diagnose(length + more, scene.own(length, more))
    },
  ],
  'a piece comes twice': [
    'duplicated',
    1,
    scene => {
      const { length, more } = scene.place
      const bytes = Math.min(length, scene.place.offset)
      if (bytes === 0) return undefined
      return scene.diagnose(more, scene.own(-bytes, bytes), scene.own(0, more))
    },
  ],
  'the last piece comes twice': [
    'duplicated',
    16,
    scene => {
      const bytes = Math.min(scene.place.length, scene.place.offset)
      return bytes < 16 ? undefined : scene.diagnose(0, scene.own(-bytes, bytes))
    },
  ],
  'two neighbours change places': [
    'swapped',
    1,
    scene => {
      const { length, more, luck } = scene.place
      const second = luck % 3 === 0 ? length : 4 + (luck % 3000)
      return scene.diagnose(
        length + second + more,
        scene.own(length, second),
        scene.own(0, length),
        scene.own(length + second, more),
      )
    },
  ],
  'two pieces that are apart change places': [
    'swapped',
    4,
    scene => {
      const { length, more, luck } = scene.place
      const between = length + (luck % 3000)
      return scene.diagnose(
        between + length + more,
        scene.own(between, length),
        scene.own(length, between - length),
        scene.own(0, length),
        scene.own(between + length, more),
      )
    },
  ],
  'bytes of no stream are put in': [
    'shifted',
    1,
    scene => {
      const { length, more } = scene.place
      return scene.diagnose(length + more, scene.noise(length), scene.own(0, more))
    },
  ],
  'bytes of another connection are put in': [
    'foreign',
    4,
    scene => {
      const { length, more } = scene.place
      return scene.diagnose(length + more, foreign(scene, length), scene.own(0, more))
    },
  ],
  'bytes of another connection replace others': [
    'foreign',
    4,
    scene => {
      const { length, more } = scene.place
      return scene.diagnose(length + more, foreign(scene, length), scene.own(length, more))
    },
  ],
}

function foreign({ payload, others, place }: Scene, bytes: number): Buffer {
  const { connection, receivedBytes } = others[place.luck % othersCount]!
  return copyOf(payload, connection, receivedBytes, bytes)
}

/** Most offsets and sizes are ordinary; some lie where blocks of the payload meet, or at 0. */
const offsets = fc.oneof(
  fc.nat(1e7),
  fc.nat(40),
  fc
    .tuple(fc.nat(20), fc.integer({ min: -40, max: 40 }))
    .map(([block, by]) => Math.max(0, block * 65_536 + by)),
  fc.nat(1e12),
)
const lengths = fc.oneof(
  fc.integer({ min: 1, max: 64 }),
  fc.integer({ min: 65, max: 2000 }),
  fc.integer({ min: 1, max: 40_000 }),
)

function places(leastLength: number, leastMore: number): fc.Arbitrary<Place> {
  return fc.record({
    seed: fc.nat(7),
    connection: fc.nat(1000),
    offset: offsets,
    length: lengths.map(length => Math.max(leastLength, length)),
    more: fc.oneof(fc.nat(64), fc.nat(20_000)).map(more => leastMore + more),
    luck: fc.nat(1e6),
  })
}

const rightShare = 0.99
const runs = Number(process.env['DIAGNOSES'] ?? short(100, 10))

for (const [name, [cause, least, damage]] of Object.entries(damages)) {
  test(`${name}: called ${cause} in 99 of 100 cases`, t => {
    let [right, all] = [0, 0]
    const wrong: string[] = []
    // To find out that bytes are of no stream takes ten milliseconds.
    const numRuns = Math.ceil(/no stream|overwritten/.test(name) ? runs / 5 : runs)
    for (const place of fc.sample(places(least, 16), { numRuns, seed: 1 })) {
      const found = damage(new Scene(place))
      if (!found) continue
      all++
      if (found.cause === cause) right++
      else wrong.push(`${JSON.stringify(place)}: ${found.cause}: ${found.detail}`)
    }
    t.diagnostic(`${right} of ${all}`)
    assert.ok(all > numRuns / 2, `only ${all} cases`)
    assert.ok(right >= all * rightShare, `${right} of ${all}\n${wrong.slice(0, 10).join('\n')}`)
  })
}

test('however little is known, there is a diagnosis', () => {
  const specs = [
    { kind: 'seeded', seed: 3 } as const,
    { kind: 'repeat', message: Buffer.from('a') } as const,
    { kind: 'repeat', message: Buffer.from('yodel\n') } as const,
  ].map(spec => createPayload(spec))
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      offsets,
      fc.nat(100),
      fc.nat(2),
      (bytes, receivedBytes, inFlight, which) => {
        const wrong = { connection: 1, receivedBytes, issuedBytes: receivedBytes + inFlight }
        const { detail } = diagnose(specs[which]!, wrong, Buffer.from(bytes), [wrong])
        assert.match(detail, /^[A-Z\d][^\n]*\.$/)
      },
    ),
    { numRuns: short(200, 30), seed: 1 },
  )
})

const small: Place = { seed: 1, connection: 2, offset: 640, length: 64, more: 200, luck: 0 }

for (const [name, detail] of Object.entries({
  'one bit is flipped': '1 bit differs in 1 byte; the stream goes on in step behind it.',
  'a piece is left out': '64 bytes are missing: what came belongs 64 bytes further on.',
  'a piece comes twice': '64 bytes came twice.',
  'two neighbours change places': 'Two pieces of 64 bytes changed places.',
  'bytes of no stream are put in':
    '64 bytes were put in that belong to no connection, and the stream goes on behind them.',
  'bytes of another connection replace others':
    'The bytes belong to connection 3, offset 0; 64 bytes came in the place of others, and the ' +
    'stream goes on in step.',
})) {
  test(`${name}: ${detail}`, () => {
    assert.equal(damages[name]![2](new Scene(small))?.detail, detail)
  })
}

test('one wrong byte is corrupted if few bits differ', () => {
  const scene = new Scene(small)
  const received = scene.own(0, 1)
  received[0]! ^= 16
  assert.equal(scene.diagnose(64, received)?.cause, 'corrupted')
})

test('two bytes are enough to see that what was before them is missing', () => {
  const scene = new Scene(small)
  assert.equal(scene.diagnose(40, scene.own(38, 2))?.cause, 'missing')
})

test('where the message repeats, the number of bytes tells missing from duplicated', () => {
  const payload = createPayload({ kind: 'repeat', message: Buffer.from('Hello!\n') })
  const stream = copyOf(payload, 0, 0, 700)
  const wrong = { connection: 0, receivedBytes: 70, issuedBytes: 700 }
  const after = (...pieces: Buffer[]) => diagnose(payload, wrong, Buffer.concat(pieces), [])
  const missing = after(stream.subarray(80))
  assert.equal(missing.cause, 'missing')
  assert.match(missing.detail, /^10 bytes are missing: what came belongs 10 bytes further on\.$/)
  const more = after(stream.subarray(80, 600))
  assert.match(more.detail, /^3 bytes are missing: .* \(or a multiple of 7 bytes more, because/)
  const duplicated = after(stream.subarray(60))
  assert.equal(duplicated.cause, 'duplicated')
  assert.match(duplicated.detail, /^10 bytes came twice\.$/)
  const put = after(Buffer.from('badness'), stream.subarray(70))
  assert.match(`${put.cause}: ${put.detail}`, /^shifted: 7 bytes were put in/)
  const swapped = after(stream.subarray(75, 80), stream.subarray(70, 75), stream.subarray(80))
  assert.equal(swapped.cause, 'swapped')
})
