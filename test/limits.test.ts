/** The real program and clients that never read: what it holds for them is bounded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dialMany, echo, sendUntilStalled } from './client.ts'
import { full, onlyFull } from './full.ts'
import { memoryOf, portOf, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'

const formatted = (count: number) => count.toLocaleString('en-US')

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
      for (const socket of await sendUntilStalled(await dialMany(port, 1))) socket.destroy()
      const before = memoryOf(program.child.pid!)
      const greedy = await sendUntilStalled(await dialMany(port, greedies))
      for (let n = 0; n < 50; n++) assert.equal(await echo(reader!, `message ${n}`), `message ${n}`)
      const grownEach = (memoryOf(program.child.pid!) - before) / greedies
      t.diagnostic(`${engine}: ${Math.round(grownEach / 1024)} KiB for each`)
      assert.ok(
        grownEach < heldMaxBytes[engine] + (engine === 'node' ? garbageMaxBytes / greedies : 0),
      )
      for (const socket of [reader!, ...greedy]) socket.destroy()
    },
  )
}
