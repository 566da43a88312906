/** The GitHub Action of action/: its inputs are options, and it does what they say. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { parse } from 'yaml'
import { listen } from './peers/server.ts'
import { Program, root, yodelPath } from './program.ts'
import { createTypist } from './typist.ts'
import { flagsUnknownTo } from './usage.ts'

const typed = createTypist()
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8')

interface Action {
  inputs: Record<string, { description: string; required?: boolean; default?: string }>
  outputs: Record<string, { value: string }>
  runs: { using: string; steps: { shell: string; env: Record<string, string>; run: string }[] }
}
const action = parse(read('action/action.yml')) as Action
const [step] = action.runs.steps
const { version } = JSON.parse(read('package.json')) as { version: string }

test('each input is used, none is put into a script, and each option is one', async () => {
  assert.equal(action.runs.using, 'composite')
  assert.equal(action.runs.steps.length, 1)
  assert.doesNotMatch(step!.run, /\$\{\{/)
  const used = Object.entries(step!.env).map(([name, value]) => {
    const [, input] = /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(value)!
    const own = name
      .replace(/^(YODEL|OPTION)_/, '')
      .toLowerCase()
      .replaceAll('_', '-')
    assert.equal(own, input)
    return input!
  })
  assert.deepEqual(used.toSorted(), Object.keys(action.inputs).toSorted())
  const options = Object.keys(step!.env)
    .filter(name => name.startsWith('OPTION_'))
    .map(name => `--${name.slice(7).toLowerCase().replaceAll('_', '-')}`)
  const unknown = [
    await flagsUnknownTo(typed, ['bench', ...options]),
    await flagsUnknownTo(typed, ['check', ...options]),
  ]
  assert.deepEqual(unknown[0], ['--only', '--skip'])
  assert.ok(!unknown[1]!.some(flag => flag === '--only' || flag === '--skip'))
  assert.ok(version.startsWith(`${action.inputs['version']!.default}.`))
})

test('the script needs no bash that is newer than that of macOS', () => {
  // What came after bash 3.2: words in other cases, new builtins, associative arrays, and |&.
  const newer = /\$\{!?\w+(\[.*?\])?(,|\^|@)|\b(mapfile|readarray)\b|declare -[Ang]|\|&|&>>/
  assert.doesNotMatch(read('action/run.sh').replaceAll(/^ *#.*/gm, ''), newer)
})

const folder = mkdtempSync(join(tmpdir(), 'yodel-action-'))
after(() => rmSync(folder, { recursive: true }))
/** Stands where npx is: it runs this build in place of one from the registry. */
before(() => {
  const lines = [
    '#!/bin/sh',
    `echo "$@" >> ${folder}/typed`,
    'shift 2',
    `exec "${process.execPath}" "${yodelPath}" "$@"`,
  ]
  const script = `${lines.join('\n')}\n`
  writeFileSync(join(folder, 'npx'), script, { mode: 0o755 })
})

const noBash = process.platform === 'win32' ? 'it runs in bash' : false

test('it runs yodel, and writes summary, JUnit and exit code', { skip: noBash }, async () => {
  await using server = await listen(socket => void socket.on('data', () => socket.write('wrong')))
  const env: Record<string, string> = {
    ...Object.fromEntries(Object.keys(step!.env).map(name => [name, ''])),
    YODEL_VERSION: '0.1',
    YODEL_COMMAND: 'bench',
    YODEL_ADDRESS: server.url,
    YODEL_ARGS: '--engine\nnode\n',
    YODEL_JUNIT: join(folder, 'yodel.xml'),
    OPTION_COUNT: '20',
    OPTION_WARMUP: '1ms',
    OPTION_EXPECT: 'errors>=0\nlost<0\n',
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
    GITHUB_OUTPUT: join(folder, 'output'),
  }
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const path = `PATH=${folder}${delimiter}${process.env['PATH']}`
  await using run = new Program('env', [...words, path, 'bash', `${root}action/run.sh`], 'ignore')
  const { code, stderr } = await run.finished
  assert.equal(code, 1, stderr)
  const saved = (name: string) => readFileSync(join(folder, name), 'utf8')
  assert.match(saved('typed'), /--yes yodel@0\.1 bench/)
  assert.match(saved('summary'), /^## FAIL: yodel bench `tcp:/)
  assert.match(saved('summary'), /\*\*MISSED\*\* \| `lost<0`/)
  assert.match(saved('yodel.xml'), /<testcase classname="yodel bench" name="errors&gt;=0">/)
  assert.deepEqual(saved('output').trim().split('\n'), [
    'exit-code=1',
    `junit=${join(folder, 'yodel.xml')}`,
  ])
})
