/** Completion as the shells themselves do it, and the manual page as groff reads it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { missing, root } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()
const folder = mkdtempSync(join(tmpdir(), 'yodel-completion-'))
after(() => rmSync(folder, { recursive: true }))

/** What is typed, and some of what it can become. */
const cases: [line: string, among: string[], not: string[]][] = [
  ['yodel be', ['bench'], ['serve']],
  ['yodel compare', ['compare', 'compare-engines'], ['bench']],
  ['yodel bench --eng', ['--engine'], ['--rate']],
  ['yodel bench --engine u', ['uring'], ['node']],
  ['yodel flood -c 5 --engine ', ['auto', 'node', 'uring'], ['--rate']],
  ['yodel serve --proxy-protocol r', ['require'], ['accept']],
  ['yodel check --only half', ['half-close'], ['bytes']],
  ['yodel ctl faults s', ['set', 'show'], ['clear']],
  ['yodel ctl bench --s', ['--size'], ['--slice']],
  ['yodel completion ', ['bash', 'zsh', 'fish'], ['serve']],
]

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout, stderr } = await typed(['completion', shell])
  assert.deepEqual([code, stderr], [0, ''])
  const path = join(folder, shell)
  writeFileSync(path, stdout)
  return path
}

function check(lines: readonly string[]) {
  assert.equal(lines.length, cases.length)
  for (const [n, [line, among, not]] of cases.entries()) {
    const found = lines[n]!.split(' ')
    for (const word of among) assert.ok(found.includes(word), `${line}: ${lines[n]}`)
    for (const word of not) assert.ok(!found.includes(word), `${line}: ${lines[n]}`)
  }
}

const run = (command: string, script: string) => {
  const { status, stdout, stderr } = spawnSync(command, ['-c', script], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout.trimEnd().split('\n')
}

test('bash', { skip: missing('bash') }, async () => {
  const path = await scriptFor('bash')
  const asks = cases.map(([line]) => {
    const words = line.split(' ').map(word => `'${word}'`)
    const place = `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}`
    return `${place}; _yodel; echo "\${COMPREPLY[@]}"`
  })
  check(run('bash', [`source '${path}'`, ...asks].join('\n')))
})

test('fish', { skip: missing('fish') }, async () => {
  const path = await scriptFor('fish')
  const asks = cases.map(([line]) => `echo (complete -C '${line}' | string replace -r '\\t.*' '')`)
  check(run('fish', [`source '${path}'`, ...asks].join('\n')))
})

test('zsh reads it, and has a function for each command', { skip: missing('zsh') }, async () => {
  const path = await scriptFor('zsh')
  const ready = 'autoload -Uz compinit; compinit -D -u'
  const script = `${ready}; source '${path}'; print -l \${(k)functions}`
  const functions = run('zsh', script)
  for (const name of ['_yodel', '_yodel_bench', '_yodel_compare_engines', '_yodel_ctl_faults_set'])
    assert.ok(functions.includes(name), name)
})

test('another shell is refused in one line', async () => {
  const { code, stderr } = await typed(['completion', 'csh'])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^yodel: 'csh' is not a shell\. .*bash, zsh, fish\. See yodel completion --help\.\n$/,
  )
})

test('the manual page is the one in docs/', async () => {
  const { code, stdout } = await typed(['man'])
  assert.equal(code, 0)
  assert.equal(stdout, readFileSync(`${root}docs/yodel.1`, 'utf8'))
})

test('groff finds nothing wrong with it', { skip: missing('groff') }, () => {
  const words = ['-man', '-Tascii', '-P-bcou', '-ww', `${root}docs/yodel.1`]
  const { status, stdout, stderr } = spawnSync('groff', words, { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /-c.*, .*--connections.*<n>/)
})
