/** yodel check against good servers, bad servers and bad relays: it says what is true of each. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { check, serve, UserError, type CheckOptions, type CheckResult, type Server } from 'yodel'
import { full } from './full.ts'
import { badPath, joins, limited, type Join, type JoinName } from './peers/bad-path.ts'
import { portOf } from './program.ts'

let good: Server
before(async () => {
  good = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  startAll()
})
after(() => good.close('now'))

const options: CheckOptions = { maxConnections: 12 }

async function through(join: Join, asked: CheckOptions): Promise<CheckResult> {
  await using path = await badPath(portOf(good.url), join)
  return await check(path.url, { ...options, ...asked }).finished
}

/** `bytes: changed, added`, of what is not ok. */
const summary = ({ questions }: CheckResult) =>
  questions
    .filter(({ findings }) => findings.length > 0)
    .map(({ name, findings }) => `${name}: ${findings.map(({ name }) => name).join(', ')}`)

const told = (result: CheckResult) => JSON.stringify(result, null, 1)

const streams = ['bytes', 'half-close', 'overload'] as const

test('nothing is found on a clean path, nor behind a good relay', async () => {
  for (const result of [
    await check(good.url, { ...options, ...(full ? {} : { idleMs: 1_000 }) }).finished,
    await through(joins.faithful, { only: [...streams] }),
  ]) {
    assert.deepEqual(summary(result), [], told(result))
    assert.equal(result.verdict, 'ok', told(result))
    assert.ok(result.used.connections <= result.cost.connections)
    assert.ok(result.used.bytes <= result.cost.bytes)
  }
})

/** What each relay does wrong, as the check has to name it. */
const pathologies: [JoinName, only: (typeof streams)[number], findings: string][] = [
  ['swallowsFin', 'half-close', 'fin-swallowed'],
  ['delaysFin', 'half-close', 'fin-delayed'],
  ['closesBoth', 'half-close', 'data-lost'],
  ['resetsAtFin', 'half-close', 'data-lost, reset'],
  ['greets', 'bytes', 'greeting'],
  ['translatesLines', 'bytes', 'changed'],
  ['flipsBits', 'bytes', 'corrupted'],
  ['flipsOnce', 'bytes', 'corrupted'],
  ['dropsNul', 'bytes', 'changed'],
  ['clearsHighBit', 'bytes', 'changed'],
  ['byLine', 'bytes', 'line-buffered'],
  ['answersHttp', 'bytes', 'changed'],
  ['silent', 'bytes', 'silent'],
  ['resetsAtOnce', 'bytes', 'silent'],
]

// Each waits most of its time.
const results = new Map<JoinName, Promise<CheckResult>>()
function startAll() {
  for (const [name, only] of pathologies) {
    const result = through(joins[name], { only: [only] })
    result.catch(() => {})
    results.set(name, result)
  }
}

for (const [name, only, findings] of pathologies) {
  test(`a relay that ${name}: ${only} finds ${findings}`, async () => {
    let result = await results.get(name)!
    // Of all at once on a busy machine round trips may be as long as the delay: then alone.
    const triesMax = name === 'delaysFin' ? 3 : 0
    for (let tries = 0; tries < triesMax && result.verdict === 'ok'; tries++)
      result = await through(joins[name], { only: [only] })
    assert.deepEqual(summary(result), [`${only}: ${findings}`], told(result))
  })
}

test('a limit of connections: the next is refused, closed, or waits', async () => {
  const only = ['overload' as const]
  const closing = await through(
    limited(5, front => void front.destroy()),
    { only },
  )
  assert.deepEqual(summary(closing), ['overload: closed'], told(closing))
  assert.equal(closing.questions[0]!.figures['connections'], 5)
  await using queueing = await serve('tcp://127.0.0.1:0', { concurrency: 3, engine: 'node' })
  const queued = await check(queueing.url, { ...options, only }).finished
  assert.deepEqual(summary(queued), ['overload: queued'], told(queued))
  assert.equal(queued.questions[0]!.figures['connections'], 3)
  assert.match(queued.questions[0]!.evidence.join(), /served .* after an earlier/)
  assert.equal(queued.verdict, 'differs')
})

test('it states how long silences take, and never more connections than it may use', async () => {
  for (const transport of ['tcp', 'tls', 'ws', 'wss', 'http', 'https', 'udp']) {
    const run = check(`${transport}://127.0.0.1:1`)
    run.stop()
    await run.finished.catch(() => {})
    const { ms, silenceMs, atOnce } = run.cost
    assert.ok(silenceMs < 20_000, `${transport}: ${silenceMs}`)
    assert.ok(ms > silenceMs && atOnce <= 50, `${transport}: ${ms}, ${atOnce}`)
  }
})

test('an expectation decides what is good enough', async () => {
  const only = ['overload' as const]
  const enough = await check(good.url, { ...options, only, expect: ['connections>=12'] }).finished
  assert.deepEqual(enough.expectations, [
    { expectation: 'connections>=12', found: '12', held: true },
  ])
  const few = await through(
    limited(5, front => void front.destroy()),
    { only, expect: ['connections>=12', 'overload=ok'] },
  )
  assert.deepEqual(
    few.expectations.map(({ held, found }) => [held, found]),
    [
      [false, '5'],
      [false, 'differs'],
    ],
  )
  assert.equal(few.verdict, 'fails')
})

/** Echoes on so many connections; it takes no more of them then. */
async function leaving(connections: number): Promise<{ url: string; close: () => void }> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {}).pipe(socket)
    if (--connections === 0) server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `tcp://127.0.0.1:${port}`, close: () => server.close() }
}

test('a server that goes away after the first look is a finding of each question', async () => {
  // The first look needs two.
  for (const connections of [2, 4]) {
    const server = await leaving(connections)
    const only = [...streams, 'idle' as const, 'sizes' as const]
    const result = await check(server.url, { ...options, only, idleMs: 3_000 }).finished
    server.close()
    assert.equal(result.verdict, 'fails', told(result))
    assert.ok(
      result.questions.every(({ outcome }) => outcome === 'fails'),
      told(result),
    )
    assert.match(
      summary(result).join(),
      /^bytes: gone,half-close: gone,overload: gone,idle: gone,sizes: gone$/,
    )
  }
})

test('a server that goes away in a silence has not only ended idle connections', async () => {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {}).pipe(socket)
    // The first look needs two.
    if (sockets.length < 3) return
    server.close()
    sockets.forEach(each => each.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const only = ['idle' as const]
  const result = await check(`tcp://127.0.0.1:${port}`, { ...options, only, idleMs: 400 }).finished
  assert.equal(result.verdict, 'fails', told(result))
  const names = result.questions[0]!.findings.map(({ name }) => name)
  assert.deepEqual(names.toSorted(), ['closed', 'gone'], told(result))
})

test('a check of which no question was asked is not ok', async () => {
  const only = ['families' as const]
  const { verdict, because } = await check(good.url, { ...options, only }).finished
  assert.equal(verdict, 'invalid')
  assert.match(because.join(), /^families could not be asked: the address is a number/)
  assert.throws(() => check(good.url, { only: ['udp', 'ws'] }), {
    name: 'UserError',
    message: 'ws and udp are not for tcp.',
    hint: /^Type --only bytes,half-close,overload,idle,sizes,latency,families,proxy, or some/,
  })
  assert.throws(() => check('udp://127.0.0.1:1', { only: ['bytes'] }), /bytes is not for udp/)
})

test('no server there, and what makes no sense, are told as sentences', async () => {
  const server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  await server.close('now')
  await assert.rejects(check(server.url).finished, error => {
    assert.ok(error instanceof UserError)
    return error.kind === 'network'
  })
  for (const bad of [
    { expect: ['idle'] },
    { expect: ['speed>5'] },
    { only: ['bytes'], skip: ['bytes'] },
    { only: ['bytes'], expect: ['connections>5'] },
    { maxConnections: 0 },
  ] as CheckOptions[])
    assert.throws(() => check(good.url, bad), UserError, JSON.stringify(bad))
})
