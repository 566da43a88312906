/** Ctrl-C before a command has begun, and while it waits: a sentence, whatever the command is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { Program, yodelPath } from './program.ts'

const noSignals = process.platform === 'win32' && 'Windows has no signals'

/** Runs in the program before anything else; sends it SIGINT when it heeds it for the nth time. */
const interrupting = (nth: number) => {
  const script = `
    let left = ${nth}
    process.on('newListener', name => {
      if (name === 'SIGINT' && --left === 0) setImmediate(() => process.kill(process.pid, 'SIGINT'))
    })`
  return ['--import', `data:text/javascript,${encodeURIComponent(script)}`, yodelPath]
}
const start = (nth: number, args: readonly string[]) =>
  new Program(process.execPath, [...interrupting(nth), ...args], 'open')

const commands = [
  'serve :0',
  'connect :1',
  'flood :1',
  'bench :1',
  'check :1',
  'agent',
  'agents',
  'ctl snapshot',
  'report -',
  'merge -',
  'compare - -',
  'compare-engines',
  'man',
]
test('while it is being loaded: every command', { skip: noSignals || onlyFull }, async () => {
  for (const command of commands) {
    await using program = start(1, command.split(' '))
    const { code, stderr } = await program.finished
    assert.equal(stderr, 'yodel: interrupted before it began\n', command)
    assert.equal(code, 130, command)
  }
})

test('while it waits for a server or a broker', { skip: noSignals }, async () => {
  for (const [args, said] of [
    [['agents', '--broker'], 'interrupted before the agents had answered'],
    [['ctl', '--url'], 'interrupted before the server had answered'],
  ] as const) {
    await using silent = await listen()
    const url = silent.url.replace('tcp', args[0] === 'ctl' ? 'http' : 'mqtt')
    const env = { YODEL_FLEET_TOKEN: 'a-token-of-a-test-with-enough-characters', YODEL_TOKEN: 'x' }
    const more = args[0] === 'ctl' ? ['snapshot'] : []
    const typed = [yodelPath, ...args, url, ...more]
    await using program = new Program(process.execPath, typed, 'ignore', { env })
    await silent.client
    program.kill('SIGINT')
    const { code, stdout, stderr } = await program.finished
    assert.deepEqual([stderr, stdout.toString(), code], [`yodel: ${said}\n`, '', 130])
  }
})

const reading = 'while it reads from a pipe into which nobody writes: it ends by the signal (130)'
test(reading, { skip: noSignals }, async () => {
  for (const args of [
    ['report', '-'],
    ...(onlyFull
      ? []
      : [
          ['merge', '-'],
          ['compare', '-', '-'],
        ]),
  ]) {
    await using program = start(2, args)
    const { signal, stdout, stderr } = await program.finished
    assert.equal(stderr, 'yodel: interrupted while it read what it was given\n')
    assert.deepEqual([signal, stdout.toString()], ['SIGINT', ''])
  }
})
