/** yodel check that asks the control API of the server: on any transport both ends are known. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { AddressInfo, Socket as TcpSocket } from 'node:net'
import { test } from 'node:test'
import { check, serve, type CheckOptions, type CheckResult } from 'yodel'
import type * as Marks from '../src/engines/os/marked-datagrams.ts'
import { createCertificate } from './certificates.ts'
import { startBoard } from './dashboard.ts'
import { full, onlyFull } from './full.ts'
import { badPath, joins, reversed, type Join } from './peers/bad-path.ts'
import { built, portOf } from './program.ts'

const { noMarks } = (await import(built('engines/os/marked-datagrams.js'))) as typeof Marks

/** A server of that transport with its control API. */
async function served(transport: string, options: object = {}) {
  const server = await serve(`${transport}://127.0.0.1:0`, {
    engine: 'node',
    ledger: true,
    ...options,
  })
  const board = await startBoard({ server })
  return {
    server,
    control: board.dashboard.url,
    async [Symbol.asyncDispose]() {
      await board[Symbol.asyncDispose]()
      await server.close('now')
    },
  }
}

/** `half-close: fin-swallowed up`, of what is not ok. */
const sides = ({ questions }: CheckResult) =>
  questions.flatMap(({ name, findings }) =>
    findings.map(finding => `${name}: ${finding.name} ${finding.side}`),
  )

async function through(transport: string, join: Join, options: CheckOptions, serving = {}) {
  await using peer = await served(transport, serving)
  await using path = await badPath(portOf(peer.server.url), join)
  const url = path.url.replace('tcp', transport)
  const result = await check(url, { maxConnections: 4, control: peer.control, ...options }).finished
  assert.equal(result.mode, 'paired')
  return result
}

/** Whether it passes on the datagram of that number and way, once its client has sent this many. */
type Passes = (way: 'up' | 'down', number: number, sent: number) => boolean

/** Datagrams from many clients to one port, and back, as a NAT passes them on. */
async function natted(port: number, passes: Passes) {
  const front = createSocket('udp4')
  const clients = new Map<number, { back: Socket; up: number; down: number }>()
  front.on('message', (data, from) => {
    let client = clients.get(from.port)
    if (!client) {
      const made = { back: createSocket('udp4'), up: 0, down: 0 }
      client = made
      clients.set(from.port, made)
      made.back.on('message', answer => {
        if (passes('down', ++made.down, made.up)) front.send(answer, from.port, from.address)
      })
    }
    client.up++
    if (passes('up', client.up, client.up)) client.back.send(data, port, '127.0.0.1')
  })
  front.bind(0, '127.0.0.1')
  await once(front, 'listening')
  return {
    url: `udp://127.0.0.1:${front.address().port}`,
    async [Symbol.asyncDispose]() {
      front.close()
      for (const { back } of clients.values()) back.close()
    },
  }
}

async function overNat(only: 'udp' | 'idle', passes: Passes) {
  await using peer = await served('udp')
  await using path = await natted(portOf(peer.server.url), passes)
  const options = { only: [only], idleMs: 50, control: peer.control }
  return await check(path.url, options).finished
}

/** Takes a header out of the request, as some proxies do. */
const without =
  (name: string): Join =>
  (front, back) => {
    front.once('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1').replace(new RegExp(`${name}:[^\\r]*\\r\\n`, 'i'), '')
      back.write(Buffer.from(text, 'latin1'))
      front.pipe(back)
    })
    back.pipe(front)
  }

/** Does this with each ping of 125 bytes, and passes everything else on. */
const withPings =
  (act: (front: TcpSocket, data: Buffer) => void): Join =>
  (front, back) => {
    back.pipe(front)
    front.on('data', (chunk: Buffer) => {
      // In a piece of its own: opcode, length, mask, and what is masked (RFC 6455 section 5.2).
      const [mask, masked] = [chunk.subarray(2, 6), chunk.subarray(6)]
      if (chunk[0] !== 0x89 || chunk.length !== 131) back.write(chunk)
      else act(front, Buffer.from(masked.map((byte, at) => byte ^ mask[at % 4]!)))
    })
    front.on('end', () => back.end())
  }

/** As a gateway does that ends WebSocket and begins it anew. */
const answersPings = withPings((front, data) => {
  front.write(Buffer.concat([Buffer.of(0x8a, data.length), data]))
})

type Case = [name: string, ask: () => Promise<CheckResult>, found: string[]]
const loses = (wanted: string) => (way: string, number: number) => way !== wanted || number % 10 > 0
const ws = { only: ['ws' as const] }
/** A relay sends datagrams of its own, which have no marks; where marks can be read. */
const unmarked =
  noMarks() === undefined
    ? ['up', 'down'].flatMap(way => [`udp: ecn-bleached ${way}`, `udp: dscp-rewritten ${way}`])
    : []
const cases: Case[] = [
  [
    'a FIN that is swallowed, on tcp without a session',
    () => through('tcp', joins.swallowsFin, { only: ['half-close'] }),
    ['half-close: fin-swallowed up'],
  ],
  [
    'a FIN that is swallowed on the way back',
    () => through('tcp', reversed(joins.swallowsFin), { only: ['half-close'] }),
    ['half-close: fin-swallowed down'],
  ],
  [
    'long messages of ws that are swallowed',
    () => through('ws', joins.swallowsLongMessages, ws),
    ['ws: limit up'],
  ],
  [
    'long messages of ws that are swallowed on the way back',
    () => through('ws', reversed(joins.swallowsLongMessages), ws),
    ['ws: limit down'],
  ],
  [
    'compression that is taken out of a request',
    () => through('ws', without('sec-websocket-extensions'), ws, { deflate: true }),
    ['ws: no-deflate up', 'ws: headers up'],
  ],
  [
    'a subprotocol that is taken out of a request',
    () => through('ws', without('sec-websocket-protocol'), ws, { deflate: true }),
    ['ws: no-subprotocol up', 'ws: headers up'],
  ],
  [
    'a subprotocol that is taken out of an answer on the way back',
    () => through('ws', reversed(without('sec-websocket-protocol')), ws, { deflate: true }),
    ['ws: no-subprotocol down'],
  ],
  [
    'pings that are answered by a gateway',
    () => through('ws', answersPings, ws),
    ['ws: foreign-pong on the way'],
  ],
  [
    'pings that are swallowed',
    () =>
      through(
        'ws',
        withPings(() => {}),
        ws,
      ),
    ['ws: no-pong up'],
  ],
  [
    'the address of a client of ws that is hidden',
    () => through('ws', joins.faithful, { only: ['proxy'] }),
    ['proxy: hidden on the way'],
  ],
  [
    'datagrams lost on the way up',
    () => overNat('udp', loses('up')),
    ['udp: lost up', ...unmarked],
  ],
  [
    'datagrams lost on the way down',
    () => overNat('udp', loses('down')),
    ['udp: lost down', ...unmarked],
  ],
  [
    'a NAT that lets nothing in but answers',
    () => overNat('idle', (way, number, sent) => way === 'up' || number <= sent),
    ['idle: unreachable unknown'],
  ],
]

test('what the server saw says where a path is wrong', { skip: onlyFull }, async t => {
  // Every second one shows what its reverse shows.
  const chosen = cases.filter(([name]) => full || !name.endsWith('way back'))
  const running = chosen.map(([, ask]) => ask())
  for (const each of running) each.catch(() => {})
  for (const [at, [name, , found]] of chosen.entries())
    await t.test(name, async () => {
      const result = await running[at]!
      assert.deepEqual(sides(result), found, JSON.stringify(result, null, 1))
    })
})

test('a certificate that is not the one of the server is told by both ways', async () => {
  await using peer = await served('tls', { directions: true })
  const front = createTlsServer(createCertificate(['127.0.0.1']), socket => {
    const back = connectTls({ port: portOf(peer.server.url), rejectUnauthorized: false })
    for (const each of [socket, back]) each.on('error', () => each.destroy())
    socket.pipe(back).pipe(socket)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const url = `tls://127.0.0.1:${(front.address() as AddressInfo).port}`
  const calling = { tls: { insecure: true } }
  try {
    for (const control of [peer.control, undefined]) {
      const result = await check(url, { only: ['tls'], calling, control }).finished
      assert.ok(sides(result).includes('tls: intercepted on the way'), JSON.stringify(result))
    }
  } finally {
    front.close()
  }
  const direct = await check(peer.server.url, { only: ['tls'], calling }).finished
  assert.deepEqual(sides(direct), [])
})

test('nothing is found on a direct path, and every question can be asked', async () => {
  for (const transport of ['udp', 'ws']) {
    await using peer = await served(transport)
    const options = { maxConnections: 4, idleMs: 50, control: peer.control }
    const result = await check(peer.server.url, options).finished
    assert.deepEqual(sides(result), [], JSON.stringify(result, null, 1))
    const asked = result.questions.filter(({ outcome }) => outcome === 'ok')
    const name = transport === 'udp' ? 'idle' : 'proxy'
    assert.ok(
      asked.some(each => each.name === name),
      JSON.stringify(result),
    )
    const ofMarks = noMarks() ?? /DSCP EF \(46\) and ECN ECT\(0\) are kept both ways/
    const { said } = result.questions.find(each => each.name === transport)!
    if (transport === 'udp') assert.ok(said.search(ofMarks) > 0, said)
  }
})

test('an address that is no control API is told in one line', async () => {
  await using peer = await served('tcp')
  const wrong = check(peer.server.url, { control: 'http://127.0.0.1:1' }).finished
  await assert.rejects(wrong, /Cannot reach the dashboard at http:\/\/127.0.0.1:1/)
})
