/** The questions of yodel check about more than bytes, each against a peer that does it wrong. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { check, serve, type CheckOptions, type CheckResult, type Server } from 'yodel'
import { httpCases } from './check-http.ts'
import { asked, echoMessages, open, overTls, overUdp, overWs, type Case } from './check-peers.ts'
import { full, onlyFull } from './full.ts'
import { badPath, joins, type Join } from './peers/bad-path.ts'
import { portOf } from './program.ts'

let good: Server
const clean = new Map<string, Server>()
const transports = ['tls', 'ws', 'wss', 'http', 'https', 'udp'] as const

after(async () => {
  await Promise.allSettled(results.values())
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
})

const through = (join: Join, only: string, more?: CheckOptions) => async () => {
  const path = await badPath(portOf(good.url), join)
  open.push(path)
  return asked(path.url, only, more)
}

/** Forgets a connection that is silent for so long. */
const forgets =
  (afterMs: number, how: (front: Socket, back: Socket) => void): Join =>
  (front, back) => {
    let lastMs = Infinity
    front.on('data', chunk => {
      const isLate = performance.now() - lastMs > afterMs
      lastMs = performance.now()
      if (isLate) how(front, back)
      else back.write(chunk)
    })
    back.pipe(front)
    front.on('end', () => back.end())
  }

const earlyAnswer = (only: string) => async () => {
  const path = await badPath(portOf(clean.get('http')!.url), joins.stopsAtAnswer)
  open.push(path)
  return asked(path.url.replace('tcp', 'http'), only)
}

const silence = { idleMs: 600 }
let count = 0
const cases: Record<string, Case> = {
  'passes 100 kB of a connection': ['sizes', 'stops', through(joins.stopsAfter100k, 'sizes')],
  'ends at a long message': ['sizes', 'limit', through(joins.endsAtLongMessages, 'sizes')],
  'swallows long messages': ['sizes', 'black-hole', through(joins.swallowsLongMessages, 'sizes')],
  'cuts datagrams': [
    'sizes',
    'cut',
    () => overUdp('sizes', (data, answer) => answer(data.subarray(0, 2_048))),
  ],
  'collects small pieces': ['latency', 'lumps', through(joins.collects, 'latency')],
  "has Nagle's algorithm": ['latency', 'steps', through(joins.delaysSmall, 'latency')],
  'forgets, and is silent': [
    'idle',
    'forgotten',
    through(
      forgets(300, () => {}),
      'idle',
      silence,
    ),
  ],
  'forgets, and resets': [
    'idle',
    'reset',
    through(
      forgets(300, front => void front.resetAndDestroy()),
      'idle',
      silence,
    ),
  ],
  'ends what is silent': ['idle', 'closed', through(joins.endsSilent, 'idle', silence)],
  'speaks TLS 1.2 only': [
    'tls',
    'not-1.3',
    () => overTls({ maxVersion: 'TLSv1.2' }, socket => void socket.pipe(socket)),
  ],
  'speaks TLS 1.0': [
    'tls',
    'obsolete',
    () =>
      overTls(
        { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
        socket => void socket.pipe(socket),
      ),
  ],
  'speaks no TLS': [
    'tls',
    'no-handshake',
    async () => asked(`tls://127.0.0.1:${portOf(good.url)}`, 'tls'),
  ],
  'has a certificate of its own': ['tls', 'untrusted', () => asked(clean.get('tls')!.url, 'tls')],
  'ends without close_notify': [
    'tls',
    'no-close-notify',
    () =>
      overTls({}, socket => {
        const { _parent: below } = socket as unknown as { _parent?: Socket }
        socket.on('data', () => {}).on('end', () => (below ?? socket).destroySoon())
      }),
  ],
  ...httpCases,
  'stops a request when its answer begins': ['http', 'early-answer', earlyAnswer('http')],
  'stops a message when its answer begins': ['sizes', 'early-answer', earlyAnswer('sizes')],
  'speaks no HTTP': [
    'http',
    'no-http',
    () => asked(`http://127.0.0.1:${portOf(good.url)}`, 'http'),
  ],
  'answers everything as binary': [
    'ws',
    'kind',
    () => overWs({}, socket => void socket.on('message', data => socket.send(data))),
  ],
  'takes messages of 100 kB': ['ws', 'limit', () => overWs({ maxPayload: 1e5 }, echoMessages)],
  'answers no ping': ['ws', 'no-pong', () => overWs({ autoPong: false }, echoMessages)],
  'closes with its own code': [
    'ws',
    'close-code',
    () =>
      overWs({}, socket => {
        echoMessages(socket)
        const { _receiver: receiver } = socket as unknown as {
          _receiver: NodeJS.EventEmitter
        }
        receiver.prependListener('conclude', () => socket.close(1_000))
      }),
  ],
  'does not upgrade': [
    'ws',
    'no-upgrade',
    async () => asked(clean.get('http')!.url.replace('http', 'ws'), 'ws'),
  ],
  'loses a tenth': [
    'udp',
    'lost',
    () => overUdp('udp', (data, answer) => void (++count % 10 && answer(data))),
  ],
  'doubles a tenth': [
    'udp',
    'duplicated',
    () =>
      overUdp('udp', (data, answer) => {
        answer(data)
        if (data.readUInt32BE(0) % 10 === 3) answer(data)
      }),
  ],
  'swaps datagrams': [
    'udp',
    'reordered',
    () => {
      let held: Buffer | undefined
      return overUdp('udp', (data, answer) => {
        if (data.readUInt32BE(0) % 10 === 3) held = data
        else answer(data)
        if (held && held !== data) {
          answer(held)
          held = undefined
        }
      })
    },
  ],
  'flips bits': [
    'udp',
    'changed',
    () =>
      overUdp('udp', (data, answer) => {
        if (data.readUInt32BE(0) % 10 === 3) data[20]! ^= 1
        answer(data)
      }),
  ],
  'limits datagrams': [
    'udp',
    'rate-limited',
    () => {
      let [tokens, filledMs] = [10, performance.now()]
      return overUdp('udp', (data, answer) => {
        tokens = Math.min(10, tokens + (performance.now() - filledMs) * 0.15)
        filledMs = performance.now()
        if (tokens < 1) return
        tokens--
        answer(data)
      })
    },
  ],
}

/** Those of every day: each question has one, and each way of judging. */
const daily = new Set([
  'passes 100 kB of a connection',
  "has Nagle's algorithm",
  'forgets, and is silent',
  'ends what is silent',
  'speaks TLS 1.2 only',
  'echoes a body when it is whole',
  'takes no header of 3 kB',
  'keeps connections for 200 ms',
  'resets streams of HTTP/2',
  'answers everything as binary',
  'does not upgrade',
  'loses a tenth',
])
const isAsked = (name: string) => full || daily.has(name)

const results = new Map<string, Promise<CheckResult>>()
before(async () => {
  good = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  open.push(good)
  for (const transport of transports) {
    const server = await serve(`${transport}://127.0.0.1:0`, { engine: 'node' })
    clean.set(transport, server)
    open.push(server)
  }
  // Each waits most of its time, but of all at once each would find the others.
  const chosen = Object.entries(cases).filter(([name]) => isAsked(name))
  const hands = Array.from({ length: 6 }, () => Promise.resolve<unknown>(undefined))
  for (const [at, [name, [, , ask]]] of chosen.entries()) {
    const result = hands[at % hands.length]!.then(ask)
    hands[at % hands.length] = result.catch(() => {})
    results.set(name, result)
  }
})

const summary = ({ questions }: CheckResult) =>
  questions
    .filter(({ findings }) => findings.length > 0)
    .map(({ name, findings }) => `${name}: ${findings.map(({ name }) => name).join(', ')}`)

for (const [name, [only, findings]] of Object.entries(cases)) {
  test(
    `a peer that ${name}: ${only} finds ${findings}`,
    { skip: !isAsked(name) && onlyFull },
    async () => {
      const result = await results.get(name)!
      assert.deepEqual(summary(result), [`${only}: ${findings}`], JSON.stringify(result, null, 1))
    },
  )
}

for (const transport of transports) {
  const skip = transport !== 'https' && transport !== 'udp' && onlyFull
  test(`nothing is found on a clean path of ${transport}`, { skip }, async () => {
    const server = clean.get(transport)!
    const pin = server.fingerprint
    const calling = pin === undefined ? {} : { tls: { pin } }
    const options = { maxConnections: 4, idleMs: 50, calling }
    const result = await check(server.url, options).finished
    assert.deepEqual(summary(result), [], JSON.stringify(result, null, 1))
    assert.ok(result.questions.some(({ outcome }) => outcome === 'ok'))
  })
}
