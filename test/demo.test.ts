/** `npm run demo` plays its scene, and its figures show the difference. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onlyFull } from './full.ts'
import { Program, root } from './program.ts'

/** The suite of the engines shows that it is true; this test is about how it is shown. */
const scene = 'with one client at a time the echo waits for the sender, with many it does not'
test(scene, { skip: onlyFull }, async () => {
  const demo = `${root}build/examples/demo.js`
  await using program = new Program(process.execPath, [demo, '--short'], 'ignore')
  const { code, stdout, stderr } = await program.finished
  assert.equal(stderr, '')
  assert.equal(code, 0)
  const [, alone, together, conclusion] = stdout.toString().split(/^(?=\d\. |The first echo)/m)

  const waitedMs = 1000 * Number(/After ([\d.]+) s the sender is stopped/.exec(alone!)![1])
  const firstMs = Number(/^ *> Hello\? +< Hello\? +([\d.]+) ms$/m.exec(alone!)![1])
  assert.ok(firstMs >= waitedMs, `${firstMs} ms`)
  assert.match(alone!, /the sender is stopped[^<]*> Hello\?/)

  const quickMs = Number(/^ *> Hello\? +< Hello\? +([\d.]+) ms$/m.exec(together!)![1])
  assert.ok(quickMs < firstMs, `${quickMs} ms`)
  assert.match(together!, /> Goodbye\. +< Goodbye\. .*\n\n {4}The sender still sends/)
  assert.match(conclusion!, new RegExp(`^The first echo took ${firstMs.toFixed(1)} ms where`))
})
