/** A server with faults: what is random in them, how they change, and what is left of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parseFault, serve, UserError, type Server } from 'yodel'
import { dial, echo, ending, pattern, read, readAll, until } from './client.ts'
import { fate, sleep, start } from './faulty.ts'
import { full, onlyFull, short } from './full.ts'
import { yodelServe } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()
const together = { concurrency: true }

/** Its faults change from test to test: to start a server costs more than most of them. */
let shared: Server
before(async () => void (shared = await start('')))
after(() => shared.close('now'))

/** The shared server with these faults and without clients; and what it has counted before. */
async function suffering(faults: string) {
  // The server notices a client that closes during a hang only when the hang is over.
  await shared.setFaults([])
  await until(() => shared.snapshot().open === 0)
  await shared.setFaults(faults === '' ? [] : faults.split(' ').map(parseFault))
  return { server: shared, before: shared.snapshot() }
}

describe('how a connection suffers', () => {
  test('over a unix socket a reset is an end, as there is no RST', { skip: onlyFull }, async () => {
    const url = `unix:${join(mkdtempSync(join(tmpdir(), 'yodel-')), 'socket')}`
    await using server = await serve(url, { faults: [{ kind: 'reset', afterBytes: 1000 }] })
    assert.match(await fate(server, pattern(1000, 5)), / after 1000$/)
  })

  test('a hang answers neither data nor FIN, and leaves the connection open', async () => {
    const { server } = await suffering('hang=5')
    const socket = await dial(server.address)
    socket.end('hello, is anybody there?')
    assert.equal((await read(socket, 5)).toString(), 'hello')
    const more = once(socket, 'readable').then(() => 'more')
    assert.equal(await Promise.race([more, sleep(100).then(() => 'nothing')]), 'nothing')
    assert.equal(server.snapshot().open, 1)
    socket.destroy()
  })

  test('a hang reads only so much, and so a client that goes on writing is stopped', async () => {
    const { server, before } = await suffering('hang')
    const socket = await dial(server.address)
    socket.on('error', () => {}).write(Buffer.alloc(64 * 2 ** 20))
    const bytesIn = () => server.snapshot().bytesIn - before.bytesIn
    await until(() => bytesIn() > 2 ** 19)
    await sleep(100)
    assert.ok(bytesIn() < 2 ** 20 + 2 ** 17, `${bytesIn()} B`)
    assert.equal(server.snapshot().bytesOut, before.bytesOut)
    socket.destroy()
  })
})

describe('what is random', () => {
  test('flipped bits are those that the server has counted; the length stays', async () => {
    const { server, before } = await suffering('corrupt=1e-4')
    const sent = pattern(300_000, 3)
    const socket = await dial(server.address)
    socket.end(sent)
    const received = await readAll(socket)
    const bits = [...received.entries()].map(([at, byte]) => byte ^ sent[at]!).filter(Boolean)
    assert.equal(received.length, sent.length)
    assert.equal(bits.length, server.snapshot().faultsInjected - before.faultsInjected)
    assert.ok(bits.length > 5 && bits.every(bit => Number.isInteger(Math.log2(bit))))
  })

  // The log of faults shows the same: faults-record.
  const seeded = 'a percentage hits so many connections, with the same seed the same ones'
  test(seeded, { skip: onlyFull }, async () => {
    const many = 100
    const outcomes = async (seed: number) => {
      await using server = await start('refuse:30% truncate=7:50% corrupt=1%', { seed })
      const log: string[] = []
      // One after the other: the number of a connection is the order in which they came.
      for (let n = 0; n < many; n++) {
        try {
          const socket = await dial(server.address)
          socket.end('a message')
          log.push((await readAll(socket)).toString('hex'))
        } catch (error) {
          log.push((error as NodeJS.ErrnoException).code!)
        }
      }
      return log
    }
    const [one, again, other] = await Promise.all([outcomes(1), outcomes(1), outcomes(2)])
    assert.deepEqual(one, again)
    assert.notDeepEqual(one, other)
    // Bounds of four standard deviations; with these seeds it holds always or never.
    const refused = one.filter(entry => entry === 'ECONNRESET').length
    const isNear = (count: number, part: number) =>
      Math.abs(count - many * part) < 4 * Math.sqrt(many * part * (1 - part))
    assert.ok(isNear(refused, 0.3), `${refused} of ${many} refused`)
    const cut = one.filter(entry => entry.length === 14).length
    assert.ok(isNear(cut, 0.35), `${cut} of ${many} cut`)
  })

  test(
    'bench names what a corrupting server does, and exits with 1',
    { skip: onlyFull },
    async () => {
      const { server } = await suffering('corrupt=0.1%')
      const args = ['--count', '500', '--warmup', '0', '--size', '1k']
      const { code, stdout } = await typed(['bench', server.url, ...args])
      assert.equal(code, 1)
      assert.match(stdout, /corrupted/)
    },
  )
})

describe('a server with faults', together, () => {
  const gone = '200 clients later nothing is left of them, and close() ends at once'
  test(gone, { skip: onlyFull }, async () => {
    const server = await start('hang:50% reset=3', { drainMs: 3600_000 })
    const sockets = await Promise.all(Array.from({ length: 200 }, () => dial(server.address)))
    const ends = sockets.map(async socket => {
      socket.write('hello')
      return ending(socket)
    })
    await until(() => server.counts().faultsInjected === 200)
    await until(() => server.counts().closed > 50)
    assert.ok(server.snapshot().open > 50)
    await server.close()
    const { open, closed } = server.snapshot()
    assert.deepEqual([open, closed], [0, 200])
    await Promise.all(ends)
  })

  test('no wait for a client outlives its connection', async () => {
    const server = await start('reset=1h delay=1h')
    const socket = await dial(server.address)
    socket.write('hello')
    await until(() => server.counts().faultsInjected === 1)
    socket.destroy()
    // A timer that was left would keep the thread for an hour.
    await server.close('now')
    assert.equal(server.snapshot().open, 0)
  })

  test('a server that leaves sends what it still holds, then FIN', async () => {
    const server = await start('delay=200ms')
    const socket = await dial(server.address)
    socket.write('goodbye')
    await until(() => server.counts().bytesIn === 7)
    const closed = server.close()
    assert.equal((await readAll(socket)).toString(), 'goodbye')
    socket.end()
    await closed
  })
})

describe('what a server with faults does besides', () => {
  test('faults change while it runs, also for open connections', async () => {
    const { server, before } = await suffering('')
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'before'), 'before')
    await server.setFaults([{ kind: 'hang' }])
    socket.write('during')
    await until(() => server.counts().bytesIn - before.bytesIn === 12)
    assert.equal(server.snapshot().bytesOut - before.bytesOut, 6)
    await server.setFaults([])
    assert.equal((await read(socket, 6)).toString(), 'during')
    const end = ending(socket)
    await server.setFaults([{ kind: 'refuse' }])
    assert.equal(await end, 'ECONNRESET')
    assert.equal(await fate(server, pattern(10, 6)), 'ECONNRESET after 0')
    await assert.rejects(server.setFaults([{ kind: 'hang', percent: 101 }]), UserError)
  })

  test('megabytes go through a chain unharmed, whatever the chunks', async () => {
    const chain = 'delay=5ms~5ms slice=1000-100000 throttle=1G/s'
    const { server, before } = await suffering(chain)
    const sent = pattern(short(8, 2) * 2 ** 20, 7)
    const socket = await dial(server.address)
    socket.end(sent)
    assert.ok((await readAll(socket)).equals(sent))
    const { bytesIn, bytesOut } = server.snapshot()
    const both = [bytesIn - before.bytesIn, bytesOut - before.bytesOut]
    assert.deepEqual(both, [sent.length, sent.length])
  })

  const many = 'a client whose echo is cut into many pieces does not keep the others waiting'
  test(many, { skip: onlyFull }, async () => {
    const { server, before } = await suffering('slice=1')
    const [greedy, other] = [await dial(server.address), await dial(server.address)]
    const sent = pattern(200_000, 8)
    greedy.write(sent)
    const back = read(greedy, sent.length)
    const bytesOut = () => server.snapshot().bytesOut - before.bytesOut
    await until(() => bytesOut() > 1_000)
    assert.equal(await echo(other, 'me too'), 'me too')
    assert.ok(bytesOut() < sent.length / 2, `${bytesOut()} B came first`)
    assert.ok((await back).equals(sent))
    for (const socket of [greedy, other]) socket.destroy()
  })

  test('engines without faults refuse, and auto says why it takes another', async () => {
    for (const engine of ['uring', 'blocking'] as const) {
      const message = `The ${engine} engine cannot inject faults.`
      await assert.rejects(serve(':0', { engine, faults: [] }), { message })
    }
    assert.equal(shared.engine, 'node')
    assert.deepEqual(shared.notes, [
      'The node engine serves. The uring engine cannot inject faults.',
    ])
    await using plain = await serve(':0')
    await assert.rejects(plain.setFaults([]), { message: 'This server has no faults to change.' })
    await assert.rejects(serve(':0', { seed: -1 }), UserError)
    await assert.rejects(start('hang', { seed: 0.5 }), UserError)
  })
})

test('each listener can have faults of its own', { skip: onlyFull }, async () => {
  const faults = ['--fault', 'corrupt=1%:50%', '--fault', '1/drop=10%', '--fault', '0/slice=1']
  const args = [
    'tcp://127.0.0.1:0',
    'udp://127.0.0.1:0',
    ...faults,
    '--dashboard',
    'http://127.0.0.1:0',
  ]
  const { program } = await yodelServe(...args)
  await using _ = program
  const [, page] = await program.says(/dashboard on (\S+)/)
  const answer = await fetch(new URL('api/faults', page))
  const shown = (await answer.json()) as { faults: string[] }[]
  assert.deepEqual(
    shown.map(({ faults }) => faults),
    [
      ['corrupt=1%:50%', 'slice=1'],
      ['corrupt=1%:50%', 'drop=10%'],
    ],
  )
  const wrong = await typed(['serve', ':0', '--fault', '1/hang'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /'1\/hang' is for a listener that is not there\. .* from 0 to 0/)
})

test('faults may come later where the engine that is taken anyway can have them', async () => {
  await using plain = await serve('tcp://127.0.0.1:0', { engine: 'node', faultsLater: true })
  assert.deepEqual(plain.faults, [])
  await plain.setFaults([{ kind: 'truncate', afterBytes: 3 }])
  const socket = await dial(plain.address)
  socket.end('hello')
  assert.equal((await readAll(socket)).toString(), 'hel')
  if (!full) return
  await using blocking = await serve('tcp://127.0.0.1:0', { engine: 'blocking', faultsLater: true })
  assert.equal(blocking.faults, undefined)
  await assert.rejects(blocking.setFaults([]), /no faults/)
})
