/** When reports are coloured: at a terminal, and as NO_COLOR, FORCE_COLOR and TERM say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { root, yodelPath } from './program.ts'
import { inTerminal, noTerminal } from './terminals.ts'
import { createTypist } from './typist.ts'

const saved = `${root}fixtures/result.json`
const rounds = `${root}fixtures/rounds.json`
// oxlint-disable-next-line no-control-regex
const colour = /\u001b\[1;\d\dm(PASS|FAIL|INVALID)\u001b\[0m/

const environments: [env: Record<string, string>, isColoured: boolean][] = [
  [{}, false],
  [{ FORCE_COLOR: '1' }, true],
  [{ FORCE_COLOR: '', NO_COLOR: '1' }, true],
  [{ FORCE_COLOR: '0' }, false],
  [{ NO_COLOR: '1', TERM: 'xterm' }, false],
]
const cases = environments.map(([env, isColoured]) => ({
  env,
  isColoured,
  typed: createTypist(undefined, env),
}))

test('no terminal, no colour; FORCE_COLOR asks for it, before NO_COLOR', async () => {
  for (const { env, isColoured, typed } of cases)
    for (const args of [
      ['report', saved],
      ['compare', rounds],
    ]) {
      const { stdout } = await typed(args)
      assert.equal(colour.test(stdout), isColoured, JSON.stringify([args, env]))
      const lines = stdout.trimEnd().split('\n')
      for (const line of [lines[0]!, lines.at(-1)!]) assert.match(line, /PASS|FAIL|INVALID/)
    }
})

test('at a terminal there is, but not at a dumb one', { skip: noTerminal }, async () => {
  for (const [words, isColoured] of [
    [['TERM=xterm'], true],
    [['TERM=dumb'], false],
    [['TERM=xterm', 'NO_COLOR=1'], false],
  ] as [string[], boolean][]) {
    const bare = ['-u', 'NO_COLOR', '-u', 'FORCE_COLOR', ...words]
    const command = ['env', ...bare, process.execPath, yodelPath, 'report', saved]
    await using program = inTerminal(...command)
    const { stdout } = await program.finished
    assert.equal(colour.test(stdout.toString()), isColoured, words.join(' '))
  }
})

test('the log of a server has colours by the same rules', { skip: noTerminal }, async () => {
  for (const [word, isColoured] of [
    ['FORCE_COLOR=0', false],
    ['NO_COLOR=', true],
  ] as const) {
    const bare = ['-u', 'NO_COLOR', '-u', 'FORCE_COLOR', 'TERM=xterm', word]
    const serve = [yodelPath, 'serve', 'tcp://127.0.0.1:0', '--log-level', 'info']
    const command = ['env', ...bare, process.execPath, ...serve]
    await using program = inTerminal(...command)
    const [line] = await program.says(/.*INFO.*listening.*/)
    assert.equal(line.includes('\u001b['), isColoured, `${word}: ${line}`)
  }
})
