/** In one direction over datagrams: what was lost on which way, and of no use against others. */
import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { measureDirection, serve, type Server } from 'yodel'
import type * as Hello from '../src/wire/direction/hello.ts'
import type * as Wire from '../src/wire/udp/session.ts'
import { full, onlyFull } from './full.ts'
import { root } from './program.ts'
import { mistakesIn } from './schemas.ts'
import { createTypist } from './typist.ts'

const wire = (await import(`${root}dist/wire/udp/session.js`)) as typeof Wire
const { writeHello } = (await import(`${root}dist/wire/direction/hello.js`)) as typeof Hello
const { datagramKinds, readOther, sealed, writeOther } = wire
const typist = createTypist()

let paired: Server
let plain: Server
before(async () => {
  paired = await serve('udp://127.0.0.1:0', { directions: true })
  plain = await serve('udp://127.0.0.1:0')
})
after(() => Promise.all([paired.close('now'), plain.close('now')]))
const portOf = ({ address }: Server) => (address as { port: number }).port

/** A path that says of each datagram with payload how often it passes. */
async function path(port: number, copies: (n: number, up: boolean) => number) {
  const near = createSocket('udp4')
  const far = createSocket('udp4')
  let client: RemoteInfo | undefined
  const counts = { up: 0, down: 0 }
  const relay = (data: Buffer, up: boolean, send: (data: Buffer) => void) => {
    const isPayload = data[0] === datagramKinds.payload
    const times = isPayload ? copies(counts[up ? 'up' : 'down']++, up) : 1
    for (let n = 0; n < times; n++) send(data)
  }
  near.on('message', (data, from) => {
    client = from
    relay(data, true, data => far.send(data, port, '127.0.0.1'))
  })
  far.on('message', data => relay(data, false, data => near.send(data, client!.port, '127.0.0.1')))
  near.bind(0, '127.0.0.1')
  await once(near, 'listening')
  const close = () => [near, far].forEach(socket => socket.close())
  return { url: `udp://127.0.0.1:${near.address().port}`, close, counts }
}

const short = { durationMs: 300, warmupMs: 0, ratePerSecond: 500, sizeBytes: 200 } as const

test('each direction is told apart: what is lost up, and what comes twice down', async () => {
  const { url, close, counts } = await path(portOf(paired), (n, up) =>
    up ? (n % 10 === 3 ? 0 : 1) : n % 7 === 5 ? 2 : 1,
  )
  const result = await measureDirection(url, { direction: 'both', ...short }).finished
  const { up, down, verdict } = result
  close()
  assert.deepEqual(mistakesIn('direction', result), [])
  assert.equal(verdict, 'pass')
  const lost = Array.from({ length: counts.up }, (_, n) => n).filter(n => n % 10 === 3).length
  assert.equal(up!.datagrams!.sent, counts.up)
  assert.deepEqual([up!.datagrams!.lost, up!.datagrams!.duplicated], [lost, 0])
  const twice = Array.from({ length: counts.down }, (_, n) => n).filter(n => n % 7 === 5).length
  assert.equal(down!.datagrams!.sent, counts.down)
  assert.deepEqual([down!.datagrams!.lost, down!.datagrams!.duplicated], [0, twice])
  assert.equal(up!.wrongBytes + down!.wrongBytes, 0)
})

test('a rate at which datagrams go together: each is one, and right', async () => {
  const options = { direction: 'both', durationMs: 100, warmupMs: 0, sizeBytes: 1400 } as const
  const result = await measureDirection(paired.address, { ...options, ratePerSecond: 50_000 })
    .finished
  assert.deepEqual([result.verdict, result.failedBecause], ['pass', []])
  for (const { sentBytes, datagrams, wrongBytes } of [result.up!, result.down!]) {
    assert.equal(sentBytes! % 1400, 0)
    assert.deepEqual([wrongBytes, datagrams!.wrong, datagrams!.duplicated], [0, 0, 0])
    assert.ok(datagrams!.received > 0)
  }
})

test('the warm-up is left out of the counts', async () => {
  const options = { ...short, direction: 'both', warmupMs: 200, durationMs: 200 } as const
  const { up, down } = await measureDirection(paired.address, options).finished
  for (const side of [up!, down!]) {
    const { sent, lost } = side.datagrams!
    assert.equal(lost, 0)
    const all = side.sentBytes! / 200
    // A sender that is held up leaves out what it cannot send.
    assert.ok(all - sent! > 0 && all - sent! <= 100, `${all} ${sent}`)
  }
})

test('a server that does not serve it, or refuses it: exit 3', async () => {
  const echoed = await typist(['bench', plain.url, '--direction', 'down'])
  assert.deepEqual([echoed.code, /echoes the session/.test(echoed.stderr)], [3, true])
  await using slow = await serve('udp://127.0.0.1:0', { directions: true, maxRatePerSecond: 100 })
  const refused = await typist(['bench', slow.url, '--direction', 'down', '--rate', '200'])
  assert.equal(refused.code, 3)
  assert.match(refused.stderr, /refused: it sends 100\/s at most \(--max-rate\), and 200\/s was/)
  assert.match(refused.stderr, /Ask for less with --rate\./)
  assert.doesNotMatch(refused.stderr, /does not serve/)
})

/** What a client that is none gets for these datagrams. */
class Raw {
  readonly socket: Socket = createSocket('udp4')
  readonly got: Buffer[] = []
  readonly #port: number

  constructor(port: number) {
    this.#port = port
    this.socket.on('message', data => this.got.push(data))
  }

  /** The next answer that is not payload. */
  async ask(datagram: Buffer): Promise<Buffer> {
    for (;;) {
      const next = once(this.socket, 'message')
      this.socket.send(datagram, this.#port, '127.0.0.1')
      const [data] = (await next) as [Buffer]
      if (data[0] !== datagramKinds.payload) return data
    }
  }
}

const id = '0123456789abcdef'.repeat(2)
const about = { mode: 'down', id, seed: 1, flow: 0, sizeBytes: 500, ratePerSecond: 200 } as const
const pad = (hello: Buffer) => Buffer.concat([hello, Buffer.alloc(512 - hello.length)])

test('no payload without a cookie, and no answer longer than its question', async () => {
  const raw = new Raw(portOf(paired))
  const hello = pad(writeHello(about))
  const answer = await raw.ask(hello)
  assert.equal(answer[0], datagramKinds.cookie)
  assert.ok(answer.length < hello.length)
  const wrong = await raw.ask(pad(writeHello({ ...about, cookie: 'f'.repeat(32) })))
  assert.equal(wrong[0], datagramKinds.cookie)
  const other = new Raw(portOf(paired))
  const { cookie } = readOther(answer) as { cookie: string }
  const stolen = await other.ask(pad(writeHello({ ...about, cookie })))
  assert.equal(stolen[0], datagramKinds.cookie)
  // Not one datagram of payload, although the session would be one of 200 a second.
  const alive = writeOther(datagramKinds.alive, 0x01234567, {}, 512)
  raw.socket.send(alive, portOf(paired), '127.0.0.1')
  assert.deepEqual(await raw.ask(Buffer.from('still an echo')), alive)
  raw.socket.close()
  other.socket.close()
})

test('the server stops a second after the last sign of the client', async () => {
  const raw = new Raw(portOf(paired))
  const { cookie } = readOther(await raw.ask(pad(writeHello(about)))) as { cookie: string }
  const accepted = await raw.ask(pad(writeHello({ ...about, cookie })))
  assert.equal(accepted[0], datagramKinds.accepted)
  assert.ok(raw.got.every(data => data[0] !== datagramKinds.payload))
  const beganMs = performance.now()
  await raw.ask(writeOther(datagramKinds.alive, 0x01234567, {}, 512))
  let lastMs = 0
  raw.socket.on('message', data => {
    if (data[0] === datagramKinds.payload) lastMs = performance.now()
  })
  // It has stopped when none came for so long that 200 a second would have shown.
  do {
    await new Promise(resolve => setTimeout(resolve, 500))
  } while (performance.now() - Math.max(lastMs, beganMs) < 500)
  const came = raw.got.filter(data => data[0] === datagramKinds.payload).length
  assert.ok(came > 0 && came < 200 * 2.5, `${came}`)
  // Short questions get no answer, or one that is no longer.
  const short = writeOther(datagramKinds.ask, 0x01234567, { from: 0 })
  raw.socket.send(short, portOf(paired), '127.0.0.1')
  const end = await raw.ask(writeOther(datagramKinds.end, 0x01234567, {}, 512))
  assert.equal(end[0], datagramKinds.end)
  assert.equal(readOther(end)!['datagrams'], came)
  raw.socket.close()
})

test('all sessions together keep to the rate; one that has ended leaves it to others', async () => {
  const sparing = { directions: true, maxRatePerSecond: 500, threads: 2 }
  await using server = await serve('udp://127.0.0.1:0', sparing)
  const [first, second] = [new Raw(portOf(server)), new Raw(portOf(server))]
  const begun = async (raw: Raw, of: object) => {
    const { cookie } = readOther(await raw.ask(pad(writeHello({ ...about, ...of })))) as {
      cookie: string
    }
    const answer = await raw.ask(pad(writeHello({ ...about, ...of, cookie })))
    return answer[0] === datagramKinds.accepted ? 'accepted' : readOther(answer)!['reason']
  }
  const more = { ratePerSecond: 300, id: `f${id.slice(1)}` }
  assert.equal(await begun(first, {}), 'accepted')
  assert.equal(
    await begun(second, { ...more, ratePerSecond: 301 }),
    'it sends 500/s at most (--max-rate), and 300/s of it is left beside other sessions',
  )
  assert.equal(await begun(second, { ...more, mode: 'up', ratePerSecond: 1e6 }), 'accepted')
  assert.equal(await begun(second, { ...more, id: `e${id.slice(1)}` }), 'accepted')
  await first.ask(writeOther(datagramKinds.end, 0x01234567, {}, 512))
  // That of the second ends as it begins anew at the same address.
  assert.equal(await begun(second, { ...more, ratePerSecond: 500 }), 'accepted')
  for (const { socket } of [first, second]) socket.close()
})

test('questions that make no sense get no answer, and do the server no harm', async () => {
  const raw = new Raw(portOf(paired))
  const { cookie } = readOther(await raw.ask(pad(writeHello(about)))) as { cookie: string }
  await raw.ask(pad(writeHello({ ...about, mode: 'up', cookie })))
  for (const from of [2 ** 40, 1e300, -1, 0.5, 'x', null, [1, 2]]) {
    const question = writeOther(datagramKinds.ask, 0x01234567, { from }, 1_200)
    raw.socket.send(question, portOf(paired), '127.0.0.1')
  }
  for (let bytes = 0; bytes < 8; bytes++)
    raw.socket.send(Buffer.alloc(bytes, datagramKinds.ask), portOf(paired), '127.0.0.1')
  const seen = raw.got.length
  // What follows them is answered.
  const end = writeOther(datagramKinds.end, 0x01234567, {}, 512)
  while ((await raw.ask(end))[0] !== datagramKinds.end);
  const pieces = raw.got.slice(seen).filter(data => data[0] === datagramKinds.piece)
  // Null is the beginning.
  assert.ok(pieces.length <= 1, `${pieces.length}`)
  raw.socket.close()
})

test('a server that answers rubbish breaks a session, and does the client no harm', async () => {
  const server = createSocket('udp4')
  const { payload, accepted, cookie, end, piece, ask, alive } = datagramKinds
  let isFirst = true
  server.on('message', (data, { port }) => {
    if (data[0] === payload) return
    const say = (answer: Buffer) => server.send(answer, port, '127.0.0.1')
    const word = data.readUInt32BE(4)
    const tooLong = writeOther(cookie, word, { cookie: '@' })
    for (let bytes = 1; bytes < 25; bytes++) say(Buffer.alloc(bytes, payload))
    if (data[0] === alive) return say(Buffer.of(piece))
    if (data[0] === end) return say(writeOther(end, word, { sentBytes: 'many' }))
    if (data[0] === ask) {
      const huge = Buffer.alloc(1_200, 0x20)
      huge[0] = piece
      huge.writeUInt32BE(0, 12)
      huge.writeUInt32BE(2 ** 32 - 1, 16)
      return say(sealed(huge))
    }
    // A byte that is not UTF-8 is three as a character: the cookie would not fit into a hello.
    if (isFirst) {
      isFirst = false
      const body = tooLong.subarray(12).toString().split('@')
      const text = [Buffer.from(body[0]!), Buffer.alloc(60_000, 0xff), Buffer.from(body[1]!)]
      const all = Buffer.concat([tooLong.subarray(0, 12), ...text])
      all.writeUInt16BE(all.length - 12, 2)
      say(sealed(all))
    }
    say(writeOther(accepted, word, {}))
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `udp://127.0.0.1:${server.address().port}`
  const result = await measureDirection(url, { direction: 'up', ...short }).finished
  server.close()
  assert.equal(result.verdict, 'fail')
  assert.match(JSON.stringify(result), /the report of the server makes no sense/)
})

test('a bit that is flipped on the way is found, and its place', async () => {
  const near = createSocket('udp4')
  const far = createSocket('udp4')
  let port = 0
  near.on('message', (data, from) => {
    port = from.port
    if (data[0] === datagramKinds.payload && data.readUInt32BE(8) === 7) data[100]! ^= 1
    far.send(data, portOf(paired), '127.0.0.1')
  })
  far.on('message', data => near.send(data, port, '127.0.0.1'))
  near.bind(0, '127.0.0.1')
  await once(near, 'listening')
  const url = `udp://127.0.0.1:${near.address().port}`
  const result = await measureDirection(url, { direction: 'up', ...short }).finished
  assert.equal(result.verdict, 'fail')
  assert.equal(result.up!.wrongBytes, 1)
  assert.equal(result.up!.firstWrong!.offset, 7 * 176 + 76)
  near.close()
  far.close()
})

for (const transport of ['udp', 'tcp', 'ws', 'http']) {
  const skip = transport !== 'udp' && onlyFull
  test(`${transport}: while faults are in force, a server only echoes`, { skip }, async () => {
    const options = { directions: true, faults: [] }
    await using server = await serve(`${transport}://127.0.0.1:0`, options)
    const up = { direction: 'up', durationMs: 50, warmupMs: 0, timeoutMs: 2_000 } as const
    // Every day it is enough that it serves them afterwards: each costs a thread.
    if (full) assert.equal((await measureDirection(server.address, up).finished).verdict, 'pass')
    await server.setFaults([{ kind: 'delay', ms: 1, jitterMs: 0 }])
    await assert.rejects(measureDirection(server.address, up).finished, /echoes the session/)
    await server.setFaults([])
    assert.equal((await measureDirection(server.address, up).finished).verdict, 'pass')
  })
}
