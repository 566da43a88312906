/** What help says, and that its examples can be typed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { transportNames } from '../vocabulary/transport.ts'
import { programWith } from './command-line.ts'
import { allOf, describeCommand } from './described.ts'
import { examples } from './examples.ts'
import { exitCodes } from './exit.ts'

const program = await programWith('man')
const commands = program.commands.filter(command => command.name() !== 'help')

/** As a shell splits it, as far as examples need one. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)

function helpOf(command: { outputHelp(): void; configureOutput(to: object): unknown }): string {
  let text = ''
  command.configureOutput({ writeOut: (part: string) => (text += part) })
  command.outputHelp()
  return text
}

test('help names every transport, every exit code, and three examples', () => {
  for (const command of [program, ...commands]) {
    const help = helpOf(command)
    for (const code of Object.values(exitCodes))
      assert.match(help, new RegExp(`^  ${code} +\\w`, 'm'))
    const own = examples[command.name()]
    for (const [typed, does] of own ?? []) assert.ok(help.includes(`  ${typed}\n      ${does}\n`))
    if (command !== program) assert.equal(own?.length, 3, command.name())
    if (command !== program && !command.usage().includes('[address')) continue
    for (const name of transportNames) assert.match(help, new RegExp(`^  ${name}:/`, 'm'))
  }
  assert.deepEqual(
    Object.keys(examples).toSorted(),
    commands.map(command => command.name()).toSorted(),
  )
})

test('each example can be typed as it stands', async () => {
  for (const [typed] of Object.values(examples).flat()) {
    // What a shell does with it is not ours.
    const [, line = ''] = /^(?:source <\()?(yodel .*?)(?:\)| [|>] .*)?$/.exec(typed)!
    const [, ...words] = wordsOf(line)
    const asked = await programWith(words[0])
    let parsed: Command | undefined
    const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)]
    for (const command of all(asked as unknown as Command))
      if (command.commands.length === 0) command.action(() => void (parsed = command))
    await asked.parseAsync(words, { from: 'user' })
    assert.ok(parsed, typed)
    // A word that is taken for another argument than it is would pass otherwise.
    for (const file of ['report', 'merge', 'compare'].includes(words[0]!) ? [words[1]!] : [])
      assert.match(file, /\.json$/)
  }
})

test('the usual letters of load generators mean what they mean there', async () => {
  for (const name of ['bench', 'flood']) {
    const asked = await programWith(name)
    const command = asked.commands.find(each => each.name() === name)!
    let flags: Record<string, unknown> = {}
    ;(command as unknown as Command).action(() => void (flags = command.opts()))
    await asked.parseAsync([name, '-c', '5', '-n', '100', '-z', '3s', '-q', '2k'], { from: 'user' })
    const { connections, count, duration, rate } = flags
    assert.deepEqual([connections, count, duration, rate], [5, 100, 3_000, 2_000], name)
  }
})

test('choices and files are known to what completes them', () => {
  const all = allOf(describeCommand(program as unknown as Command))
  const optionOf = (path: string, long: string) =>
    all.find(each => each.path === path)!.options.find(option => option.long === long)!
  assert.ok(optionOf('bench', '--engine').choices.includes('uring'))
  assert.ok(optionOf('check', '--only').choices.includes('half-close'))
  assert.deepEqual(
    ['--cert', '--fault-log', '--engine'].map(long => optionOf('serve', long).isFile),
    [true, true, false],
  )
  assert.equal(optionOf('bench', '--rate').short, '-q')
  assert.ok(all.some(({ path }) => path === 'ctl faults set'))
})
