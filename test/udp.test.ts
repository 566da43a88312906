/** Serving udp: every datagram comes back as it was, and a server cannot be used for attacks. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { connect, serve, UserError, type Server, type ServeOptions } from 'yodel'
import { until } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import { peer, peerOnLowPort } from './peers/datagrams.ts'
import { missing, Program, yodel } from './program.ts'

let server: Server
before(async () => void (server = await serve('udp://127.0.0.1:0')))
after(() => server.close())

const portOf = ({ address }: Server) => (address as { port: number }).port
const serveWith = (datagrams: ServeOptions['datagrams'] & object, address = 'udp://127.0.0.1:0') =>
  serve(address, { datagrams })

test('a datagram of any size comes back whole, an empty one and the longest too', async () => {
  await using client = await connect(server.url, { timeoutMs: 20_000 })
  const size = fc.oneof(
    fc.constantFrom(0, 1, 1472, 1473, 65_506, 65_507),
    fc.integer({ min: 0, max: 65_507 }),
  )
  await fc.assert(
    fc.asyncProperty(size, fc.nat(255), async (size, byte) => {
      const sent = Buffer.alloc(size, byte)
      const { reply, latencyUs } = await client.echo(sent)
      assert.ok(sent.equals(reply))
      assert.ok(latencyUs > 0)
    }),
    { numRuns: short(60, 8), seed: 1 },
  )
})

test('IPv6 carries twenty bytes more', { skip: onlyFull }, async t => {
  const own = await serve('udp://[::1]:0').catch((error: unknown) => error as UserError)
  if (own instanceof UserError) return t.skip(own.message)
  await using _ = own
  await using client = await connect(own.url, { timeoutMs: 20_000 })
  const { reply } = await client.echo(Buffer.alloc(65_527, 7))
  assert.equal(reply.length, 65_527)
})

test('options without a meaning on udp are refused', async () => {
  const asked: [ServeOptions, RegExp][] = [
    [{ concurrency: 1 }, /no limit of clients on udp/],
    [{ idleTimeoutMs: 1 }, /no idle timeout on udp/],
    [{ oneOff: true }, /no leaving after the first client/],
    [{ engine: 'uring' }, /cannot speak udp/],
    [{ engine: 'blocking' }, /cannot speak udp/],
    [{ proxy: { mode: 'accept', from: [] }, engine: 'node' }, /PROXY/],
    [{ proxy: { mode: 'accept', from: [] } }, /^PROXY headers[^.]*udp[^.]*\.$/],
    [{ datagrams: { ratePerSource: 0 } }, /more than 0/],
    [{ datagrams: { allow: ['all' as 'loops'] } }, /allow must be one of low-ports/],
  ]
  for (const [options, message] of asked)
    await assert.rejects(serve('udp://127.0.0.1:0', options), { message })
  await assert.rejects(serve(server.url), { message: /the address is already in use/ })
})

test('a port on which this process serves is not answered, at whatever address', async () => {
  await using other = await serve('udp://127.0.0.2:0')
  await using forger = await peer({ port: portOf(other) })
  await using client = await peer()
  forger.send('to the other', portOf(server))
  client.send('to me', portOf(server))
  await client.have(1)
  assert.equal(server.snapshot().datagramsFromOwnPort, 1)
  assert.equal(forger.came.length, 0)
  if (!full) return
  await using loose = await serveWith({ allow: ['own-ports'] })
  forger.send('to the other', portOf(loose))
  await forger.have(1)
})

test('a loop with another echo server dies out', async () => {
  let rounds = 0
  await using foreign = await peerOnLowPort((data, answer) => {
    rounds++
    answer(data)
  })
  const before = server.snapshot().datagramsAnswered
  // As if it were forged: both have the port of a server.
  const texts = short(['one', 'two', 'three'], ['one'])
  for (const text of texts) foreign.send(text, portOf(server))
  await until(() => server.snapshot().datagramsInLoop >= texts.length)
  // All are gone: another source is answered, and nothing else is.
  const answered = server.snapshot().datagramsAnswered
  await using client = await connect(server.url, { timeoutMs: 20_000 })
  await client.echo('still there')
  assert.equal(server.snapshot().datagramsAnswered, answered + 1)
  assert.ok(answered - before <= 9 * 1000, `${answered - before}`)
  assert.ok(rounds <= 9 * 1000, `${rounds}`)
})

test('one source gets so much per second and no more, and the rest is counted', async () => {
  await using slow = await serveWith({ ratePerSource: 20 })
  await using client = await peer()
  for (let n = 0; n < 100; n++) client.send(`${n}`, portOf(slow))
  const whole = () => slow.snapshot().datagramsAnswered + slow.snapshot().datagramsOverRate
  await until(() => whole() === 100)
  const { chunks, datagramsAnswered, bytesOut } = slow.snapshot()
  // What is refused is no echo.
  assert.equal(chunks, datagramsAnswered)
  // One second's worth at once, and what comes in while they arrive.
  assert.ok(datagramsAnswered >= 20 && datagramsAnswered < 100, `${datagramsAnswered}`)
  await client.have(datagramsAnswered)
  assert.equal(bytesOut, Buffer.concat(client.came).length)
})

test('what was sent to a network or a group gets no answer from all addresses', async t => {
  await using everywhere = await serve('udp://0.0.0.0:0')
  if (process.platform !== 'linux') return t.skip('needs a filter of Linux')
  await using client = await peer()
  client.socket.setBroadcast(true)
  client.socket.setMulticastInterface('127.0.0.1')
  const to = ['127.255.255.255', '224.0.0.1', '127.0.0.1']
  const answered = async (server: Server) => {
    const before = client.came.length
    for (const host of to) client.send(host, portOf(server), host)
    await until(() => client.came.slice(before).some(data => data.toString() === to[2]))
    return client.came.slice(before).map(String).toSorted()
  }
  assert.deepEqual(await answered(everywhere), ['127.0.0.1'])
  if (!full) return
  await using loose = await serveWith({ allow: ['broadcast'] }, 'udp://0.0.0.0:0')
  assert.deepEqual(await answered(loose), ['127.0.0.1', '127.255.255.255'])
  // They were not read, but the system has counted them.
  await Promise.all([everywhere.close(), loose.close()])
  assert.equal(everywhere.snapshot().datagramsUnread, 2)
  assert.equal(loose.snapshot().datagramsUnread, 1)
})

test('a stopping server first answers what has come', async () => {
  const leaving = await serve('udp://127.0.0.1:0')
  await using client = await peer()
  for (let n = 0; n < 200; n++) client.send(`${n}`, portOf(leaving))
  // What the system has taken from us it has given to the server.
  await until(() => client.socket.getSendQueueCount() === 0)
  await leaving.close()
  await client.have(200)
  assert.equal(leaving.snapshot().datagramsAnswered, 200)
})

test('an echo that does not come is an error, and so is a port without a listener', async () => {
  await using silent = await peer({}, () => {})
  await using client = await connect(`udp://127.0.0.1:${silent.port}`, { timeoutMs: 20 })
  await assert.rejects(client.echo('hello'), { message: /nothing came back within 20 ms/ })
  const gone = await peer()
  await gone[Symbol.asyncDispose]()
  await using alone = await connect(`udp://127.0.0.1:${gone.port}`, { timeoutMs: 20_000 })
  await assert.rejects(alone.echo('hello'), { message: /no server listens there \(ECONNREFUSED\)/ })
})

test('what is answered in spite of a rule is announced; what was refused is counted', async () => {
  const loose = ['--udp-allow', 'low-ports', '--udp-allow', 'loops', '--udp-rate', '5']
  await using program = yodel(['serve', 'udp://0.0.0.0:0', ...loose])
  const [, port] = await program.says(/listening on udp:\/\/0\.0\.0\.0:(\d+)/)
  await using client = await peer()
  for (let n = 0; n < 20; n++) client.send('hello', Number(port))
  await client.have(5)
  program.kill('SIGTERM')
  const { code, stderr } = await program.finished
  assert.equal(code, 0)
  assert.match(stderr, /answers in spite of low-ports\. A forged source/)
  assert.match(stderr, /answers in spite of loops\. /)
  assert.match(stderr, /with rules off: anyone can forge/)
  assert.match(
    stderr,
    /answered \d+ datagrams, refused \d+ \(\d+ over the rate to one source\), \d+ B/,
  )
  if (!full) return
  await using mistaken = yodel(['serve', 'udp://:0', '--udp-allow', 'all'])
  const refused = await mistaken.finished
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /'all' is no rule\. The rules are low-ports, own-ports/)
})

const byPython =
  'import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(20);' +
  's.sendto(b"abc"*20000,("127.0.0.1",int(sys.argv[1])));' +
  'print("back", s.recv(70000)==b"abc"*20000)'

const peers: [name: string, command: (port: number) => string[], says: RegExp][] = [
  ['socat', port => ['STDIO', `UDP:127.0.0.1:${port}`], /hello/],
  ['ncat', port => ['-u', '127.0.0.1', `${port}`], /hello/],
  ['python3', port => ['-c', byPython, `${port}`], /back True/],
]

/** A datagram is the same from whichever it comes. */
const skipOf = (name: string) => missing(name) || (name !== 'socat' && onlyFull)
for (const [name, command, says] of peers)
  test(`${name} gets back what it sends`, { skip: skipOf(name) }, async () => {
    await using program = new Program(name, command(portOf(server)), 'open')
    program.child.stdin!.write('hello')
    await program.says(says)
  })

const hung = 'a source that hung meets the faults that come after, and those after them'
test(hung, { skip: onlyFull }, async () => {
  await using odd = await serve('udp://127.0.0.1:0', { faults: [{ kind: 'hang' }] })
  await using client = await connect(odd.url, { timeoutMs: 20_000 })
  const waiting = client.echo('hello')
  await until(() => odd.snapshot().faultsInjected === 1)
  await odd.setFaults([])
  await waiting
  await odd.setFaults([{ kind: 'delay', ms: 50 }])
  assert.ok((await client.echo('again')).latencyUs >= 49_000)
})
