/** The real program and clients that never read: what it holds for them is bounded. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { dialMany, echo, until } from './client.ts'
import { full, onlyFull } from './full.ts'
import { portOf, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'

const formatted = (count: number) => count.toLocaleString('en-US')

/** Memory that a process has in RAM, in bytes. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024
}

/** Clients that send for ever and never read, up to the point where nothing more can be sent. */
async function sendUntilStalled(port: number, count: number): Promise<Socket[]> {
  const sockets = await dialMany(port, count)
  const chunk = Buffer.alloc(65_536)
  for (const socket of sockets) {
    const send = () => {
      while (socket.writable && socket.write(chunk));
    }
    socket.on('error', () => {}).on('drain', send)
    socket.pause()
    send()
  }
  const sent = () => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
  let last = -1
  await until(async () => {
    await new Promise(resolve => setTimeout(resolve, 200))
    const stalled = last === sent()
    last = sent()
    return stalled
  })
  return sockets
}

/** What a connection may hold in the process, as docs/serve.md has it. */
const heldMaxBytes = { node: 256 * 1024, uring: 640 * 1024 }
/** What the garbage collector happens to leave, however many there are. */
const garbageMaxBytes = 32 * 2 ** 20

for (const engine of ['node', 'uring'] as const) {
  const skip = process.platform === 'linux' ? refusal(engine) : 'reads /proc, which only Linux has'

  /**
   * What one client adds drowns in what the garbage collector of Node happens to leave, some MB; so
   * many are measured, and the bound is for each of them.
   */
  const greedies = full ? 1_000 : { node: 150, uring: 25 }[engine]
  test(
    `${engine}: ${formatted(greedies)} that never read: memory is bounded`,
    { skip: skip || (engine === 'node' && onlyFull) },
    async t => {
      const { program, url } = await yodelServe('--engine', engine)
      await using _ = program
      const port = portOf(url)
      const [reader] = await dialMany(port, 1)
      for (const socket of await sendUntilStalled(port, 1)) socket.destroy()
      const before = residentBytes(program.child.pid!)
      const greedy = await sendUntilStalled(port, greedies)
      for (let n = 0; n < 50; n++) assert.equal(await echo(reader!, `message ${n}`), `message ${n}`)
      const grownEach = (residentBytes(program.child.pid!) - before) / greedies
      t.diagnostic(`${engine}: ${Math.round(grownEach / 1024)} KiB for each`)
      assert.ok(
        grownEach < heldMaxBytes[engine] + (engine === 'node' ? garbageMaxBytes / greedies : 0),
      )
      for (const socket of [reader!, ...greedy]) socket.destroy()
    },
  )
}
