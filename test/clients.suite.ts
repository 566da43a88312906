/** What every engine promises its clients: turns, backpressure, and how connections end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServeOptions, Server } from 'yodel'
import {
  dial,
  echo,
  ending,
  pattern,
  read,
  readAll,
  sendUntilFin,
  settled,
  until,
} from './client.ts'
import { onlyFull, short } from './full.ts'

export type Start = (options?: ServeOptions) => Promise<Server>
export type Dial = typeof dial
type Skip = string | false

/** @param edges whether to skip those, as in what follows */
export function takesTurns(start: Start, edges: Skip) {
  for (const concurrency of short([1, 3], [1])) {
    test(`concurrency ${concurrency}: the others wait, and are served in order`, async () => {
      await using server = await start({ concurrency })
      const order: number[] = []
      const clients = []
      for (let n = 0; n < concurrency + 4; n++) {
        const socket = await dial(server.address)
        socket.write(`client ${n}`)
        clients.push(socket)
      }
      const served = clients.map(async (socket, n) => {
        assert.equal((await read(socket, 8)).toString(), `client ${n}`)
        order.push(n)
      })
      await Promise.all(served.slice(0, concurrency))
      assert.equal(await echo(clients[0]!, 'again'), 'again')
      assert.equal(order.length, concurrency)
      for (const [n, socket] of clients.entries()) {
        await served[n]
        socket.end()
        await readAll(socket)
        await served[n + concurrency]
      }
      if (concurrency === 1)
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
        )
      await balanced(server)
    })
  }

  test('a client that waits may give up', { skip: edges }, async () => {
    await using server = await start({ concurrency: 1 })
    const [first, second, third] = [
      await dial(server.address),
      await dial(server.address),
      await dial(server.address),
    ]
    assert.equal(await echo(first, 'one'), 'one')
    second.resetAndDestroy()
    third.write('three')
    first.end()
    assert.equal((await read(third, 5)).toString(), 'three')
    third.end()
    await balanced(server)
  })
}

export function holdsBack(start: Start, dial: Dial, skip: Skip = false) {
  test(
    'a client that never reads is not read from either, and slows no other',
    { skip },
    async () => {
      await using server = await start()
      const greedy = await dial(server.address)
      greedy.pause()
      const chunk = pattern(2 ** 20, 3)
      const send = () => {
        while (greedy.writable && greedy.write(chunk));
      }
      greedy.on('drain', send).on('error', () => {})
      send()
      const before = await settled(() => server.snapshot().bytesIn)
      const socket = await dial(server.address)
      for (let n = 0; n < 100; n++) assert.equal(await echo(socket, `message ${n}`), `message ${n}`)
      const after = await settled(() => server.snapshot().bytesIn)
      assert.equal(after - before, 100 * 9 + 90)
      greedy.destroy()
      socket.end()
      await balanced(server)
    },
  )
}

export function leaves(start: Start, many: number, dial: Dial, edges: Skip = false) {
  test('what is idle is closed, what is active is not', { skip: edges }, async () => {
    const idleTimeoutMs = 400
    await using server = await start({ idleTimeoutMs })
    // If the machine holds up everything for so long, the other client is idle, too: then it is
    // tried again.
    for (let steady = false; !steady;) {
      const { idleClosed: before } = server.snapshot()
      const [idle, active] = [await dial(server.address), await dial(server.address)]
      const echoedMs = [performance.now()]
      const beats = setInterval(() => active.write('beat'), 50)
      active.on('error', () => {}).on('data', () => echoedMs.push(performance.now()))
      assert.equal(await ending(idle), 'closed')
      await until(() => server.counts().open < 2)
      const { idleClosed, open } = server.snapshot()
      clearInterval(beats)
      echoedMs.push(performance.now())
      steady = echoedMs.every((ms, n) => n === 0 || ms - echoedMs[n - 1]! < idleTimeoutMs / 2)
      if (steady) assert.deepEqual([idleClosed - before, open], [1, 1])
      active.end()
      await balanced(server)
    }
  })

  test('one-off: the first client is served, then it leaves', { skip: edges }, async () => {
    const server = await start({ oneOff: true })
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'only'), 'only')
    socket.end()
    await server.closed
    await assert.rejects(dial(server.address))
  })

  const senders = `close() with ${many} senders: all that was received comes back, then FIN`
  test(senders, async () => {
    const server = await start({ drainMs: 120_000, concurrency: many })
    const sockets = await Promise.all(Array.from({ length: many }, () => dial(server.address)))
    // A client that waits for a thread would give the others time to send very much.
    for (const socket of sockets) assert.equal(await echo(socket, 'ready'), 'ready')
    await until(() => server.counts().open === many)
    // Speed is shown in the full form.
    const littleBytes = short(0, 8192)
    const senders = sockets.map(socket => sendUntilFin(socket, littleBytes))
    await until(() => server.counts().bytesOut > 1e6)
    const closed = server.close()
    const returned = await Promise.all(senders)
    await closed
    const { bytesIn, bytesOut, open } = server.snapshot()
    const sum = returned.reduce((total, bytes) => total + bytes, 5 * many)
    assert.deepEqual([sum, bytesOut, open], [bytesIn, bytesIn, 0])
  })

  // The other tests leave their servers in the same state.
  test('close("now") does not wait', { skip: onlyFull }, async () => {
    const server = await start()
    const socket = await dial(server.address)
    const gone = ending(socket)
    await server.close('now')
    await gone
    assert.equal(server.snapshot().open, 0)
  })

  test('a client that does not hang up is closed after drainMs', { skip: edges }, async () => {
    const server = await start({ drainMs: 300 })
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'stay'), 'stay')
    await server.close()
    assert.equal(server.snapshot().open, 0)
    socket.destroy()
  })
}

/** At least so many were opened, and all of them are closed. */
export async function balanced(server: Server, atLeast = 1): Promise<void> {
  await until(() => {
    const { opened, open, waiting } = server.counts()
    return opened >= atLeast && open === 0 && waiting === 0
  })
}
