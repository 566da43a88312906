/** What every engine that speaks udp promises as a server of it, over real sockets. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { connect, serve, UserError, type Server, type ServeOptions } from 'yodel'
import { until } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import { peer, peerOnLowPort } from './peers/datagrams.ts'
import { missing, Program } from './program.ts'
import { refusal } from './refusal.ts'

type EngineName = Server['engine']

/** A hang is a failure. */
const timeout = 60_000

export const portOf = ({ address }: Server) => (address as { port: number }).port

export function datagramSuite(engine: EngineName): void {
  const skip = refusal(engine)
  const start = (options: ServeOptions = {}, address = 'udp://127.0.0.1:0') =>
    serve(address, { engine, ...options })
  describe(`${engine} over udp`, { skip, timeout }, () => {
    let server: Server
    before(async () => void (server = await start()))
    after(() => server.close())
    echoes(() => server, start)
    guards(() => server, start)
    groups(start)
    trains(() => server, start)
  })
}

type Start = (options?: ServeOptions, address?: string) => Promise<Server>

function echoes(started: () => Server, start: Start) {
  test('a datagram of any size comes back whole, an empty one and the longest too', async () => {
    const server = started()
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
    const own = await start({}, 'udp://[::1]:0').catch((error: unknown) => error as UserError)
    if (own instanceof UserError) return t.skip(own.message)
    await using _ = own
    await using client = await connect(own.url, { timeoutMs: 20_000 })
    const { reply } = await client.echo(Buffer.alloc(65_527, 7))
    assert.equal(reply.length, 65_527)
  })

  test('a stopping server first answers what has come', async () => {
    const leaving = await start()
    await using client = await peer()
    for (let n = 0; n < 200; n++) client.send(`${n}`, portOf(leaving))
    // What the system has taken from us it has given to the server.
    await until(() => client.socket.getSendQueueCount() === 0)
    await leaving.close()
    await client.have(200)
    assert.equal(leaving.snapshot().datagramsAnswered, 200)
  })
}

function guards(started: () => Server, start: Start) {
  test('a port on which this process serves is not answered, at whatever address', async () => {
    const server = started()
    await using other = await start({}, 'udp://127.0.0.2:0')
    await using forger = await peer({ port: portOf(other) })
    await using client = await peer()
    forger.send('to the other', portOf(server))
    client.send('to me', portOf(server))
    await client.have(1)
    assert.equal(server.snapshot().datagramsFromOwnPort, 1)
    assert.equal(forger.came.length, 0)
    if (!full) return
    await using loose = await start({ datagrams: { allow: ['own-ports'] } })
    forger.send('to the other', portOf(loose))
    await forger.have(1)
  })

  test('a loop with another echo server dies out', async () => {
    const server = started()
    let rounds = 0
    await using foreign = await peerOnLowPort((data, answer) => {
      rounds++
      answer(data)
    })
    const before = server.snapshot().datagramsAnswered
    // As if forged: both have the port of a server.
    const texts = short(['one', 'two', 'three'], ['one'])
    for (const text of texts) foreign.send(text, portOf(server))
    await until(() => server.snapshot().datagramsInLoop >= texts.length)
    // The forged datagrams are dropped: another source is answered, and nothing else is.
    const answered = server.snapshot().datagramsAnswered
    await using client = await connect(server.url, { timeoutMs: 20_000 })
    await client.echo('still there')
    assert.equal(server.snapshot().datagramsAnswered, answered + 1)
    assert.ok(answered - before <= 9 * 1000, `${answered - before}`)
    assert.ok(rounds <= 9 * 1000, `${rounds}`)
  })

  test('one source gets so much per second and no more, and the rest is counted', async () => {
    await using slow = await start({ datagrams: { ratePerSource: 20 } })
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
}

function groups(start: Start) {
  test('what was sent to a network or a group gets no answer from all addresses', async t => {
    await using everywhere = await start({}, 'udp://0.0.0.0:0')
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
    await using loose = await start({ datagrams: { allow: ['broadcast'] } }, 'udp://0.0.0.0:0')
    assert.deepEqual(await answered(loose), ['127.0.0.1', '127.255.255.255'])
    // They were not read, but the system has counted them.
    await Promise.all([everywhere.close(), loose.close()])
    assert.equal(everywhere.snapshot().datagramsUnread, 2)
    assert.equal(loose.snapshot().datagramsUnread, 1)
  })
}

/** Sends datagrams of one size as one, and says whether they come back as they were. */
const segmenting =
  'import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(20);' +
  'port,size,n=map(int,sys.argv[1:]); s.setsockopt(17,103,size);' +
  'sent=[b"%06d"%k+b"x"*(size-6) for k in range(n)]+[b"shorter"];' +
  's.sendto(b"".join(sent),("127.0.0.1",port));' +
  'print("back", [s.recv(70000) for _ in sent]==sent)'

function trains(started: () => Server, start: Start) {
  test('many datagrams of one source that come at once each come back', async () => {
    const server = started()
    await using client = await peer()
    const before = server.snapshot()
    // Sizes that repeat, change, and are nothing.
    const sizes = [64, 64, 64, 1400, 1400, 1399, 0, 0, 64, 9000, 9000, 1, 65_507, 65_507, 1]
    const rounds = short(20, 4)
    const sent = Array.from({ length: sizes.length * rounds }, (_, n) =>
      Buffer.alloc(sizes[n % sizes.length]!, n + 1),
    )
    // As much as fits into a socket buffer of usual size at a time.
    for (let at = 0; at < sent.length; at += 5) {
      for (const data of sent.slice(at, at + 5)) client.send(data, portOf(server))
      await client.have(Math.min(sent.length, at + 5))
    }
    const key = (data: Buffer) => `${data.length} ${data[0]}`
    assert.deepEqual(client.came.map(key).toSorted(), sent.map(key).toSorted())
    const { chunks, bytesIn, bytesOut } = server.snapshot()
    const bytes = Buffer.concat(sent).length
    assert.deepEqual(
      [chunks - before.chunks, bytesIn - before.bytesIn, bytesOut - before.bytesOut],
      [sent.length, bytes, bytes],
    )
  })

  const skip = process.platform === 'linux' ? missing('python3') : 'UDP_SEGMENT is of Linux'
  test('datagrams that were sent as one come back, and each counts', { skip }, async () => {
    const server = started()
    const before = server.snapshot().datagramsAnswered
    for (const [size, count] of [
      [64, 60],
      [1400, 30],
    ] as const) {
      const args = [portOf(server), size, count].map(String)
      await using program = new Program('python3', ['-c', segmenting, ...args], 'ignore')
      await program.says(/back True/)
    }
    assert.equal(server.snapshot().datagramsAnswered - before, 61 + 31)
  })

  test('the rate of a source holds for those that were sent as one', { skip }, async () => {
    await using slow = await start({ datagrams: { ratePerSource: 20 } })
    const args = [portOf(slow), 64, 60].map(String)
    await using _ = new Program('python3', ['-c', segmenting, ...args], 'ignore')
    const whole = () => slow.snapshot().datagramsAnswered + slow.snapshot().datagramsOverRate
    await until(() => whole() === 61)
    const { chunks, datagramsAnswered } = slow.snapshot()
    assert.equal(chunks, datagramsAnswered)
    assert.ok(datagramsAnswered >= 20 && datagramsAnswered < 61, `${datagramsAnswered}`)
  })
}
