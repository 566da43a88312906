/** HTTP at its limits: many clients at once, long bodies, answers that are not read. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { serve } from 'yodel'
import { dialMany, pattern, sendUntilStalled, until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { post1 } from './http-client.ts'
import { memoryOf, portOf, yodelServe } from './program.ts'

const [many, mebibytes, greedies] = short([1_000, 100, 300], [40, 4, 120])

test(`${many} clients at once, each of them echoed`, async () => {
  await using server = await serve('http://127.0.0.1:0')
  const agent = new http.Agent({ keepAlive: true, maxSockets: many })
  const bodies = Array.from({ length: many }, (_, n) => pattern(5_000, n))
  // Before the first has finished.
  const allThere = until(() => server.counts().open === many)
  const answers = bodies.map(async body => {
    const request = http.request(server.url, { method: 'POST', agent })
    const answered = once(request, 'response')
    request.write(body.subarray(0, 2_000))
    await allThere
    request.end(body.subarray(2_000))
    const [response] = (await answered) as [http.IncomingMessage]
    assert.ok(Buffer.concat((await response.toArray()) as Buffer[]).equals(body))
  })
  await Promise.all(answers)
  agent.destroy()
  assert.equal(server.snapshot().chunks, many)
})

test(`a body of ${mebibytes} MiB streams through, as one message`, async () => {
  await using server = await serve('http://127.0.0.1:0')
  const parts = Array.from({ length: mebibytes }, (_, n) => pattern(2 ** 20, n))
  const { body } = await post1(server, 'POST', { Connection: 'close' }, parts)
  assert.ok(body.equals(Buffer.concat(parts)))
  const { bytesIn, bytesOut, chunks } = server.snapshot()
  assert.deepEqual([bytesIn, bytesOut, chunks], [body.length, body.length, 1])
})

/** 256 KiB, as docs/http.md has it, and what the garbage collector leaves. */
const heldMaxBytes = 512 * 1024
const skip = process.platform === 'linux' ? false : 'reads /proc, which only Linux has'

test(
  `${greedies} clients that never read: memory is bounded`,
  { skip: skip || onlyFull },
  async t => {
    const { program, url } = await yodelServe('http://127.0.0.1:0')
    await using _ = program
    for (const socket of await sendUntilStalled(await endless(portOf(url), 20))) socket.destroy()
    const before = memoryOf(program.child.pid!)
    const greedy = await sendUntilStalled(await endless(portOf(url), greedies))
    const grownEach = (memoryOf(program.child.pid!) - before) / greedies
    t.diagnostic(`${Math.round(grownEach / 1024)} KiB for each`)
    assert.ok(grownEach < heldMaxBytes)
    for (const socket of greedy) socket.destroy()
  },
)

/** Clients with endless bodies. */
async function endless(port: number, count: number): Promise<Socket[]> {
  const sockets = await dialMany(port, count)
  for (const socket of sockets)
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n')
  return sockets
}
