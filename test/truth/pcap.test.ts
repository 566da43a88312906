/** The witness itself: what it makes of packets of which everything is known. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differences, disagreements, isNear } from './agreement.ts'
import { figuresOf, meanOf, quantile } from './figures.ts'
import { framings } from './framings.ts'
import { readCapture } from './pcap.ts'
import { exchangesOf, type Exchange } from './wire.ts'

const port = 7

interface Sent {
  atMs: number
  from: number
  to: number
  sequence?: number
  opens?: boolean
  payload?: Buffer
}

/** A capture as tcpdump writes it. */
function captureOf(packets: Sent[], protocol: 6 | 17 = 6): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b23c4d, 0)
  header.writeUInt32LE(1, 20)
  const records = packets.map(packet => {
    const { atMs, from, to, sequence = 0, opens = false, payload = Buffer.alloc(0) } = packet
    const segment = Buffer.alloc(protocol === 6 ? 20 : 8)
    segment.writeUInt16BE(from, 0)
    segment.writeUInt16BE(to, 2)
    if (protocol === 6) {
      segment.writeUInt32BE(sequence >>> 0, 4)
      segment[12] = 5 << 4
      segment[13] = opens ? 2 : 16
    }
    const ip = Buffer.alloc(20)
    ip[0] = 0x45
    ip[9] = protocol
    ip.writeUInt16BE(ip.length + segment.length + payload.length, 2)
    const ethernet = Buffer.alloc(14)
    ethernet.writeUInt16BE(0x0800, 12)
    const frame = Buffer.concat([ethernet, ip, segment, payload])
    const record = Buffer.alloc(16)
    record.writeUInt32LE(Math.floor(atMs / 1e3), 0)
    record.writeUInt32LE(Math.round((atMs % 1e3) * 1e6), 4)
    record.writeUInt32LE(frame.length, 8)
    record.writeUInt32LE(frame.length, 12)
    return Buffer.concat([record, frame])
  })
  return Buffer.concat([header, ...records])
}

/** In pieces that fit nowhere, one of them late, one of them twice, over the end of the numbers. */
test('messages are found in segments, whatever their order', () => {
  const start = 2 ** 32 - 25
  const client = { from: 5000, to: port }
  const server = { from: port, to: 5000 }
  const bytes = (length: number) => Buffer.alloc(length, 1)
  const packets = readCapture(
    captureOf([
      { ...client, atMs: 1, sequence: start - 1, opens: true },
      { ...server, atMs: 1, sequence: 99, opens: true },
      { ...client, atMs: 10, sequence: start, payload: bytes(15) },
      { ...client, atMs: 12, sequence: start + 20, payload: bytes(10) },
      { ...client, atMs: 13, sequence: start + 10, payload: bytes(10) },
      { ...client, atMs: 14, sequence: start + 10, payload: bytes(10) },
      { ...server, atMs: 20.25, sequence: 100, payload: bytes(25) },
    ]),
  )
  const exchanges = exchangesOf(packets, port, { transport: 'tcp', sizeBytes: 10 })
  assert.deepEqual(
    exchanges.map(({ sentMs, cameMs }) => [sentMs, cameMs]),
    [
      [10, 20.25],
      [13, 20.25],
      [13, null],
    ],
  )
  const half = captureOf([{ ...client, atMs: 1, payload: bytes(50) }])
  assert.deepEqual(readCapture(half.subarray(0, -1)), [])
})

test('datagrams are told by their bytes', () => {
  const packets = readCapture(
    captureOf(
      [
        { from: 5000, to: port, atMs: 1, payload: Buffer.from('a') },
        { from: 5000, to: port, atMs: 2, payload: Buffer.from('b') },
        { from: port, to: 5000, atMs: 3, payload: Buffer.from('b') },
        { from: port, to: 5000, atMs: 4, payload: Buffer.from('b') },
        // Two of one call (UDP_SEGMENT), which come back one by one.
        { from: 5000, to: port, atMs: 5, payload: Buffer.from('cd') },
        { from: port, to: 5000, atMs: 6, payload: Buffer.from('d') },
        { from: port, to: 5000, atMs: 7, payload: Buffer.from('c') },
      ],
      17,
    ),
  )
  const exchanges = exchangesOf(packets, port, { transport: 'udp', sizeBytes: 1 })
  assert.deepEqual(
    exchanges.map(({ cameMs }) => cameMs),
    [null, 3, 7, 6],
  )
})

test('where messages end, behind a handshake and between what is none', () => {
  const record = (kind: number, length: number) => {
    const bytes = Buffer.alloc(5 + length)
    bytes[0] = kind
    bytes.writeUInt16BE(length, 3)
    return bytes
  }
  const secure = Buffer.concat([record(22, 90), record(23, 53), record(23, 117), record(23, 217)])
  assert.deepEqual(framings.tls(100).requests(secure), [275, 497, 497])
  // One message in two records, then the end.
  const cut = [record(23, 21), record(23, 113), record(23, 19)]
  const whole = Buffer.concat([secure, ...cut])
  assert.deepEqual(framings.tls(100).requests(whole), [275, 497, 497, 641])
  const upgrade = Buffer.from('GET / HTTP/1.1\r\n\r\n')
  const frame = (opcode: number, length: number) =>
    Buffer.concat([Buffer.from([0x80 | opcode, length]), Buffer.alloc(length)])
  const web = Buffer.concat([upgrade, frame(2, 100), frame(9, 3), frame(2, 100), frame(8, 2)])
  assert.deepEqual(framings.ws(100).replies(web), [120, 227])
  const post = Buffer.from('POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc')
  const { length } = post
  assert.deepEqual(framings.http(3).requests(Buffer.concat([post, post])), [length, 2 * length])
})

/** Two connections in turn, each reply after 5 ms but one, which comes much later. */
const exchanges: Exchange[] = Array.from({ length: 100 }, (_, n) => ({
  connection: n % 2,
  sentMs: 1000 + n * 10 + (n % 7 === 3 ? 2 : 0),
  cameMs: n === 50 ? 5000 : 1000 + n * 10 + 5,
}))
const open = { connections: 2, ratePerSecond: 100, warmupMs: 200, durationMs: 800 }

test('figures are those of the window, and times count from the plan', () => {
  const figures = figuresOf(exchanges, open)
  assert.deepEqual([figures.planned, figures.sent, figures.received], [80, 80, 80])
  // The straggler came behind the interval.
  assert.equal(figures.achievedPerSecond, 79 / 0.8)
  assert.deepEqual([figures.responseUs[0], figures.responseUs.at(-2)], [5000, 5000])
  assert.deepEqual([figures.serviceUs[0], figures.serviceUs.at(-2)], [3000, 5000])
  const { ratePerSecond: _, ...closed } = open
  assert.equal(figuresOf(exchanges, closed).sent, 80)
})

test('a first message that leaves late does not move the window of a closed loop', () => {
  const { ratePerSecond: _, ...closed } = open
  const late = exchanges.map((each, n) => (n === 0 ? { ...each, sentMs: 1006 } : each))
  assert.equal(figuresOf(late, closed).sent, 80)
  // But a server that pauses at the end does not move it, either.
  const paused = exchanges.filter(({ sentMs }) => sentMs < 1900)
  assert.equal(figuresOf(paused, closed).sent, 70)
})

test('a result that says something else does not agree', () => {
  const figures = figuresOf(exchanges, open)
  const timesOf = (us: number[]) => ({
    count: us.length,
    min: us[0]!,
    mean: meanOf(us),
    p50: quantile(us, 0.5),
    p90: quantile(us, 0.9),
    p99: null,
    p999: null,
    p9999: null,
    p99999: null,
    max: us.at(-1)!,
  })
  const [response, service] = [timesOf(figures.responseUs), timesOf(figures.serviceUs)]
  const { planned, sent, received, achievedPerSecond, sentPerSecond } = figures
  const counts = { planned, sent, received, missing: 0 }
  const rates = { achievedPerSecond, sentPerSecond }
  const verdict = 'pass' as const
  const told = { valid: true, verdict, ...counts, ...rates, response, service }
  const load = { load: open } as Parameters<typeof disagreements>[1]
  assert.deepEqual(disagreements({ told, figures, others: 0 }, load), [])
  for (const change of [
    { planned: 81 },
    { sent: 79 },
    { received: 79, missing: 1 },
    { missing: 1 },
    { achievedPerSecond: achievedPerSecond * 0.97 },
    { sentPerSecond: sentPerSecond * 1.03 },
    { response: { ...response, count: 79 } },
  ])
    assert.notDeepEqual(
      disagreements({ told: { ...told, ...change }, figures, others: 0 }, load),
      [],
      JSON.stringify(change).slice(0, 80),
    )
  const near = differences({ told, figures, others: 0 }, load)
  assert.ok(near.length >= 4 && near.every(isNear))
  const late = { ...told, service: { ...service, p90: service.p90 + 400 } }
  assert.ok(!differences({ told: late, figures, others: 0 }, load).every(isNear))
})
