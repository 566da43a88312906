/** The live view of the real `yodel flood`, in real terminals. */
import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { onlyFull, short } from './full.ts'
import { yodelPath } from './program.ts'
import { inTerminal, noTerminal as skip } from './terminals.ts'
import { Screen } from './screen.ts'

let server: Server
/** It takes its time, since the view needs some while, and the processor may do better things. */
const faults = [{ kind: 'delay', ms: 1 } as const]
before(async () => void (server = await serve('tcp://127.0.0.1:0', { faults })))
after(() => server.close('now'))

/** In a terminal of its own. @param sizes see terminal.py */
const sized = (sizes: string, ...command: string[]) => inTerminal('--size', sizes, ...command)
const flood = (sizes: string, ...args: string[]) =>
  sized(sizes, process.execPath, yodelPath, 'flood', server.url, ...args)

/** A busy machine must not fall behind, or what was due is lost. */
const slowly = ['--rate', '50']

/** A drawing is written at once: to its top, its lines, and nothing below them. */
// oxlint-disable-next-line no-control-regex
const drawing = /(?:\r\u001b\[\d+A)?((?:[^\r\n\u001b]*\u001b\[K\r\n)+)\u001b\[J/g
const drawings = (shown: string) =>
  [...shown.matchAll(drawing)].map(({ index, 1: text }) => ({
    index,
    lines: text!.replaceAll('\u001b[K', '').trimEnd().split('\r\n'),
  }))
/** What is left on the screen: what was said at the start, and then the report. */
const left = /^yodel: flooding \S+ over 1 connection; Ctrl-C ends it with a report\n\S[^░█]*\n$/
/** Two drawings, so that there was something to be drawn over. */
// oxlint-disable-next-line no-control-regex
const twice = /p50[^]*?\u001b\[J[^]*?p50[^]*?\u001b\[J/

// oxlint-disable-next-line no-control-regex
const colours = /\u001b\[[\d;]*m/g

describe('the live view', { skip, concurrency: true }, () => {
  for (const columns of short([80, 40], [40])) {
    test(`in ${columns} columns it moves, fits, and makes way for the report`, async () => {
      await using program = flood(`${columns}x24`, '--duration', '1200ms', ...slowly)
      const { code, stdout } = await program.finished
      const shown = stdout.toString()
      const frames = drawings(shown).map(({ lines }) => lines)
      for (const line of frames.flat()) assert.ok(line.length < columns, line)
      const values = (pattern: RegExp) =>
        new Set(frames.map(lines => pattern.exec(lines.join('\n'))?.[1]))
      assert.ok(values(/([\d.]+)s left$/m).size >= 2, shown)
      assert.ok(values(/^ +([\d,]+(?: messages)?\/s {2}p50 .*) p99 /m).size >= 2, shown)
      assert.match(frames.flat().join('\n'), /B\/s {2}errors 0 {2}wrong 0$/m)
      const screen = new Screen(columns)
      screen.write(shown)
      assert.match(screen.text, left)
      assert.equal(code, 0)
    })
  }

  test('it follows when the terminal becomes narrower', { skip: onlyFull }, async () => {
    await using program = flood('90x24,33x24', '--rate', '100/s')
    await program.says(twice)
    program.child.kill('SIGUSR1')
    await program.says(new RegExp(String.raw`messages/s[^]*\d/s +${twice.source}`))
    program.child.stdin!.write('\u0003')
    const { code, stdout } = await program.finished
    const shown = stdout.toString()
    const first = drawings(shown).findIndex(({ lines }) => lines.every(line => line.length < 33))
    assert.ok(first >= 2, shown)
    for (const { lines } of drawings(shown).slice(first))
      for (const line of lines) assert.ok(line.length < 33, line)
    const { index } = drawings(shown)[first]!
    const screen = new Screen(90)
    screen.write(shown.slice(0, index))
    screen.columns = 33
    screen.write(shown.slice(index))
    assert.match(screen.text, left)
    assert.equal(code, 130)
  })

  test('killed, it leaves a visible cursor below its lines', { skip: onlyFull }, async () => {
    await using program = flood('80x24', '--rate', '200')
    await program.says(twice)
    const ctrlBackslash = '\u001c'
    program.child.stdin!.write(ctrlBackslash)
    const { code, stdout } = await program.finished
    assert.doesNotMatch(stdout.toString(), /\?25l/)
    const end = stdout.toString().split('wrong 0\u001b[K').at(-1)!
    assert.match(end, /^\r\n(?:[^\r\n]*\r\n)?[^\r\n]{0,5}$/)
    assert.equal(code, 128 + constants.signals.SIGQUIT)
  })

  for (const [name, ...command] of [
    ['TERM=dumb', 'env', 'TERM=dumb'],
    ['stderr is a file', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh'],
  ] as const) {
    test(`nothing is drawn where ${name}`, { skip: onlyFull }, async () => {
      const args = [process.execPath, yodelPath, 'flood', server.url, '--count', '20']
      await using program = sized('80x24', ...command, ...args)
      const { stdout } = await program.finished
      // The report has colours, where they can be seen.
      const plain = stdout.toString().replaceAll(colours, '')
      assert.ok(!plain.includes('\u001b'), plain)
      assert.match(stdout.toString(), /verified/)
    })
  }
})
