/** WebSocket at its limits: much data, many clients, and clients that never read. */
import assert from 'node:assert/strict'
import { createHash, randomFillSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Server } from 'yodel'
import { sendUntilStalled } from './client.ts'
import { frame, upgraded } from './frames.ts'
import { full, onlyFull, short } from './full.ts'
import { memoryOf, portOf as portOfUrl, yodelServe } from './program.ts'
import { balanced, open, receive, start } from './ws-clients.ts'

const timeout = 60_000
const [many, pieces, greedies] = full ? [1_000, 10, 500] : [20, 1, 50]
const pieceMiB = short(10, 2)
const linux = process.platform === 'linux' ? false : 'reads /proc, which only Linux has'

let server: Server
before(async () => void (server = await start()))
after(() => server.close('now'))

test(`${pieces} messages of ${pieceMiB} MiB come back the same`, { timeout }, async () => {
  const client = await open(server)
  const piece = randomFillSync(Buffer.alloc(pieceMiB * 2 ** 20))
  const [out, back] = [createHash('sha1'), createHash('sha1')]
  for (let n = 0; n < pieces; n++) {
    piece.writeUInt32BE(n)
    const echoed = receive(client, 1)
    client.send(piece)
    out.update(piece)
    back.update((await echoed)[0]!)
  }
  assert.equal(back.digest('hex'), out.digest('hex'))
  client.terminate()
})

test(`${many} clients at once, each of them echoed`, { timeout }, async () => {
  const clients = await Promise.all(Array.from({ length: many }, () => open(server)))
  const echoed = await Promise.all(
    clients.map((client, n) => {
      client.send(`client ${n}`)
      return receive(client, 1)
    }),
  )
  assert.deepEqual(
    echoed,
    clients.map((_, n) => [`client ${n}`]),
  )
  for (const client of clients) client.close(1000)
  await balanced(server)
})

/** Clients that send for ever and never read. */
const greedy = (port: number, count: number) =>
  Promise.all(Array.from({ length: count }, () => upgraded(port)))

/** As docs/ws.md has it: no message here is longer than 16 KiB; and what the collector leaves. */
const heldMaxBytes = 384 * 1024
const floatingBytes = 48 * 2 ** 20

for (const [what, chunk] of [
  ['messages of 16 KiB', frame(2, Buffer.alloc(16 * 1024))],
  ['empty messages', Buffer.alloc(60_000, frame(1, ''))],
] as const)
  test(
    `${greedies} that send ${what} and never read: memory is bounded`,
    { skip: onlyFull || linux },
    async t => {
      const { program, url } = await yodelServe('ws://127.0.0.1:0')
      await using _ = program
      for (const socket of await sendUntilStalled(await greedy(portOfUrl(url), 1), chunk))
        socket.destroy()
      const before = memoryOf(program.child.pid!)
      const sockets = await sendUntilStalled(await greedy(portOfUrl(url), greedies), chunk)
      const grown = memoryOf(program.child.pid!) - before
      t.diagnostic(`${Math.round(grown / greedies / 1024)} KiB for each`)
      assert.ok(grown < greedies * heldMaxBytes + floatingBytes)
      for (const socket of sockets) socket.destroy()
    },
  )
