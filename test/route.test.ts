/** From which addresses a client connects, and through which proxy, on every transport. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { bench, connect, serve, UserError, type Server } from 'yodel'
import { freePort } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import { loadRefusal } from './refusal.ts'
import { proxy, relayTo } from './peers/route.ts'
import { listen } from './peers/server.ts'
import { portOf } from './program.ts'
import { createTypist } from './typist.ts'

type Calling = NonNullable<Parameters<typeof bench>[1]>['calling']

const typed = createTypist()
const overTcp = ['tcp', 'tls', 'ws', 'wss', 'http', 'https'] as const
/** Every day each protocol, and one that is secure; those of `tcp` show credentials, too. */
const daily = { turns: ['tcp', 'http'], proxy: ['wss', 'http'] }
const shown = (name: string) => full || Object.values(daily).flat().includes(name)

const servers = new Map<string, Server>()
before(async () => {
  for (const name of overTcp.filter(shown))
    servers.set(name, await serve(`${name}://127.0.0.1:0`, { engine: 'node' }))
})
after(() => Promise.all([...servers.values()].map(server => server.close('now'))))

const tls = { insecure: true }
// A busy machine may take its time.
const patient = { timeoutMs: 120_000, drainMs: 120_000 }
const brief = { ...patient, count: 40, connections: 4, warmupMs: 0, threads: short(2, 1) }
const source = ['127.0.0.2', '127.0.0.3']
const counted = (all: readonly string[]) =>
  source.map(address => all.filter(each => each === address).length)

const noLoopback =
  process.platform === 'linux' ? false : 'only Linux has all of 127.0.0.0/8 without being asked'

for (const name of overTcp)
  test(
    `${name}: connections take turns by their number, whatever thread they are in`,
    { skip: noLoopback || (!daily.turns.includes(name) && onlyFull) },
    async () => {
      await using relay = await relayTo(portOf(servers.get(name)!.url))
      const calling: Calling = { source, ...(name.endsWith('s') && name !== 'ws' && { tls }) }
      const url = `${name}://127.0.0.1:${relay.port}`
      const threads = name === 'tcp' ? 2 : brief.threads
      const load = { ...brief, threads, engine: 'node', calling } as const
      const result = await bench(url, load).finished
      assert.deepEqual([result.failedBecause, result.messages.received], [[], 40])
      assert.deepEqual(counted(relay.from), [2, 2])
    },
  )

for (const engine of ['node', 'uring'] as const) {
  const skip = noLoopback || loadRefusal(engine)
  test(`${engine}: idle ones take turns, too, on tcp`, { skip }, async () => {
    await using relay = await relayTo(portOf(servers.get('tcp')!.url))
    const url = `tcp://127.0.0.1:${relay.port}`
    const load = { ...brief, idle: 2, threads: 1, engine, calling: { source } }
    const { failedBecause, run } = await bench(url, load).finished
    assert.deepEqual([failedBecause, run.engine], [[], engine])
    assert.deepEqual(counted(relay.from), [3, 3])
  })

  test(`${engine}: sockets of udp, too`, { skip }, async () => {
    const from = new Set<string>()
    const peer = createSocket('udp4', (data, { address, port }) => {
      from.add(`${address}:${port}`)
      peer.send(data, port, address)
    })
    peer.bind(0, '127.0.0.1')
    await once(peer, 'listening')
    const url = `udp://127.0.0.1:${peer.address().port}`
    const { failedBecause } = await bench(url, { ...brief, engine, calling: { source } }).finished
    peer.close()
    assert.deepEqual(failedBecause, [])
    assert.deepEqual(counted([...from].map(each => each.split(':')[0]!)), [2, 2])
  })
}

test(
  'a connection that is opened again comes from where it came',
  { skip: noLoopback },
  async () => {
    const from: string[] = []
    await using server = await listen(socket => {
      from.push(socket.remoteAddress!)
      // The second connection breaks once.
      if (from.length === 2) socket.once('data', () => socket.destroy())
      else socket.pipe(socket)
    })
    const load = { ...patient, connections: 2, count: 20, warmupMs: 0, calling: { source } }
    await bench(server.url, { ...load, engine: 'node', reconnect: true }).finished
    assert.equal(from.length, 3)
    assert.equal(from[2], from[1])
  },
)

for (const engine of ['node', 'uring'] as const) {
  // Every day it is shown on the engine that `auto` takes.
  const isOther = engine === 'node' && !loadRefusal('uring') && onlyFull
  const skip = noLoopback || loadRefusal(engine) || isOther
  const title = 'short connections take turns, and a client uses the first'
  test(`${title}: ${engine}`, { skip }, async () => {
    await using relay = await relayTo(portOf(servers.get('tcp')!.url))
    const url = `tcp://127.0.0.1:${relay.port}`
    const load = { connections: 0, churnPerSecond: 100, durationMs: 200, warmupMs: 0 }
    await bench(url, { ...load, engine, calling: { source } }).finished
    const [first, second] = counted(relay.from)
    // Before them one finds out whether the server is there.
    assert.ok(second! > 0 && first! >= second! && first! - second! <= 2, relay.from.join())
    const peer = await connect(url, { calling: { source: ['127.0.0.9'] } })
    await peer.echo('hello')
    assert.equal(relay.from.at(-1), '127.0.0.9')
    await peer.close()
  })
}

test('what makes no sense is refused in a line', async () => {
  const { url } = servers.get('tcp')!
  const noRingThere = loadRefusal('uring') ? /uring/ : /uring engine cannot connect through a proxy/
  const cases: [args: string[], code: number, said: RegExp][] = [
    [['bench', url, '--source', 'localhost'], 2, /'localhost', which is not a numeric address/],
    [['bench', url, '--source', '::1'], 2, /::1 cannot connect to 127\.0\.0\.1: one is/],
    [['bench', url, '--source', '192.0.2.1'], 3, /this machine has no such address/],
    [['bench', url, '--source', '192.0.2.1', '--engine', 'node'], 3, /EADDRNOTAVAIL/],
    [['connect', url, '--source', '192.0.2.1'], 3, /this machine has no such address/],
    [['bench', 'unix:/x', '--source', '127.0.0.2'], 2, /A socket of unix has no source address/],
    [['bench', url, '--agents', '2', '--source', '127.0.0.2'], 2, /address of one machine/],
    [['check', 'udp://127.0.0.1:7', '--proxy', 'http://127.0.0.1:1'], 2, /only TCP streams/],
    [
      ['bench', 'udp://127.0.0.1:7', '--proxy', 'http://127.0.0.1:1'],
      2,
      /An HTTP proxy carries only TCP streams, not u/,
    ],
    [['bench', url, '--proxy', 'socks5://x:1'], 2, /socks5 proxies are not supported/],
    [['bench', url, '--proxy', 'http://u:word@x'], 2, /That is not a proxy/],
    [['bench', url, '--agents', '2', '--proxy', 'http://x:1'], 2, /not connect through a proxy/],
    [['bench', url, '--proxy', 'http://x:1', '--engine', 'uring'], 2, noRingThere],
  ]
  for (const [args, code, said] of cases) {
    const { code: ended, stderr } = await typed(args)
    assert.match(stderr, said)
    assert.match(stderr, /^yodel: [^\n]+\n$/)
    assert.equal(ended, code, stderr)
  }
})

for (const name of overTcp)
  test(
    `${name} goes through a proxy`,
    { skip: !daily.proxy.includes(name) && onlyFull },
    async () => {
      await using way = await proxy()
      const { url } = servers.get(name)!
      const calling: Calling = {
        proxy: way.url,
        ...(name.endsWith('s') && name !== 'ws' && { tls }),
      }
      const result = await bench(url, { ...brief, calling }).finished
      assert.deepEqual([result.failedBecause, result.messages.received], [[], 40])
      assert.equal(result.run.engine, 'node')
      assert.deepEqual(way.asked, Array(4).fill(`127.0.0.1:${portOf(url)}`))
    },
  )

test('what a server says at once comes behind the answer of the proxy', async () => {
  const greeting = createServer(socket => socket.on('error', () => {}).end('welcome'))
  greeting.listen(0, '127.0.0.1')
  await once(greeting, 'listening')
  const { port } = greeting.address() as AddressInfo
  // Both in one piece, as a quick server makes it.
  const quick = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nwelcome'))
  })
  quick.listen(0, '127.0.0.1')
  await once(quick, 'listening')
  await using way = await proxy()
  const { port: quickPort } = quick.address() as AddressInfo
  for (const url of [way.url, `http://127.0.0.1:${quickPort}`]) {
    const peer = await connect(`tcp://127.0.0.1:${port}`, { calling: { proxy: url } })
    let heard = ''
    for await (const chunk of peer) heard += Buffer.from(chunk).toString()
    assert.equal(heard, 'welcome')
    await peer.close()
  }
  greeting.close()
  quick.close()
})

test('credentials are sent, and never shown', async () => {
  const expected = `Basic ${Buffer.from('me:secret').toString('base64')}`
  const check = (given: string | undefined) =>
    given === expected ? undefined : '407 Proxy Authentication Required'
  await using way = await proxy(check)
  const { url } = servers.get('tcp')!
  const known = `http://me:secret@127.0.0.1:${way.port}`
  const { failedBecause, run } = await bench(url, { ...brief, calling: { proxy: known } }).finished
  assert.deepEqual(failedBecause, [])
  assert.doesNotMatch(JSON.stringify(run), /secret/)
  assert.match(run.reproduce, /--proxy '?http:\/\/me:\.\.\.@127/)
  const refused = await typed(['bench', url, '--proxy', way.url])
  assert.match(refused.stderr, /: the proxy http:\S+ refuses: it says 407 Proxy Auth.*required\./i)
  assert.equal(refused.code, 3)
})

test('a proxy that is not there, or is none, is named', async () => {
  const { url } = servers.get('tcp')!
  const gone = `http://127.0.0.1:${await freePort()}`
  const none = await typed(['connect', url, '--proxy', gone])
  assert.match(none.stderr, /the proxy http:\S+ does not answer \(ECONNREFUSED\)\. Check --proxy/)
  assert.equal(none.code, 3)
  await using echo = await listen(socket => socket.pipe(socket))
  const other = `http://127.0.0.1:${portOf(echo.url)}`
  const error = await connect(url, { calling: { proxy: other }, timeoutMs: 5_000 }).then(
    () => assert.fail(),
    (thrown: unknown) => thrown as UserError,
  )
  assert.match(error.message, /refuses: the answer is not HTTP\/1\.1/)
  await using silent = await listen()
  const waiting = { calling: { proxy: `http://127.0.0.1:${portOf(silent.url)}` }, timeoutMs: 100 }
  await assert.rejects(connect(url, waiting), /does not answer \(ETIMEDOUT\)/)
})
