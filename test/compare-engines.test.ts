/** The real `yodel compare-engines`: short runs, so what is looked at is all but the figures. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { full, onlyFull, short } from './full.ts'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

interface Document {
  verdict: 'pass' | 'fail'
  interrupted: boolean
  run: Record<string, unknown>
  machine: Record<string, unknown>
  models: {
    name: string
    label: string
    engine: string
    unavailable: string | null
    servedClients: number
    ratePerSecond: number
    roundTripUs: { p50: number; p99: number | null }
    cpuPerEchoUs: number | null
    memoryPerClientBytes: number | null
    failures: Record<string, number>
    rounds: unknown[]
  }[]
  conclusions: string[]
}

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))

/** Where accounting is known (proc(5)). */
const isLinux = process.platform === 'linux'

/** The others differ from the pool and from node in a number, or in what moves the bytes. */
const models = short(['one', 'threads', 'pool', 'node', 'uring'], ['one', 'node'])

/** The width comes from the environment where stdout is no terminal. */
const typed = createTypist(undefined, { COLUMNS: '40', LC_ALL: 'C.UTF-8', TERM: 'xterm' })

test('models, in a picture of 40 columns and in a file', { skip: onlyFull }, async () => {
  const path = join(folder, 'all.json')
  // On a busy machine a thread may take as long to begin.
  const duration = '250ms'
  const brief = ['--connections', '5', '--duration', duration, '--rounds', '1', '--pool', '2']
  const chosen = full ? [] : ['--models', models.join()]
  const flags = [...brief, ...chosen, '--output', path]
  const { code, stdout: text, stderr } = await typed(['compare-engines', ...flags])
  assert.equal(stderr, '')
  assert.equal(code, 0)
  for (const line of text.split('\n')) assert.ok(line.length <= 40, line)

  const document = JSON.parse(readFileSync(path, 'utf8')) as Document
  assert.equal(document.verdict, 'pass')
  assert.equal(document.interrupted, false)
  assert.equal(document.run.connections, 5)
  assert.ok(document.conclusions.length > 0)
  assert.deepEqual(
    document.models.map(({ name }) => name),
    models,
  )
  // At most, since on a busy machine threads may not have started by the end of so short a run.
  const served: Record<string, number> = { one: 1, pool: 2, threads: 5, node: 5, uring: 5 }
  for (const model of document.models) {
    assert.ok(text.includes(model.label), text)
    if (model.unavailable !== null) {
      assert.equal(model.rounds.length, 0)
      continue
    }
    assert.match(text, new RegExp(`^ {2}${model.label} .*[█▏▎▍▌▋▊▉]$`, 'm'))
    const { name, servedClients, engine } = model
    if (engine === 'blocking') assert.ok(servedClients >= 1 && servedClients <= served[name]!, name)
    else assert.equal(servedClients, served[name], name)
    assert.ok(model.ratePerSecond > 0, model.name)
    const { p50, p99 } = model.roundTripUs
    // A slow one has too few echoes for a p99.
    assert.ok(0 < p50 && (p99 === null || p50 <= p99))
    assert.equal(typeof model.cpuPerEchoUs, isLinux ? 'number' : 'object')
    assert.equal(typeof model.memoryPerClientBytes, isLinux ? 'number' : 'object')
    assert.deepEqual(model.failures, {})
  }
})

test('wrong options: one line, and exit 2', async () => {
  for (const args of [
    ['--models', 'one,two'],
    ['--connections', '0'],
    ['--duration', '3'],
    ['--rounds', 'x'],
    ['--output', join(folder, 'missing', 'file')],
    ['--no-such'],
  ]) {
    const { code, stdout, stderr } = await typed(['compare-engines', ...args])
    assert.equal(code, 2, args.join(' '))
    assert.equal(stdout.length, 0)
    assert.match(stderr, /^yodel: [^\n]+\n$/)
  }
})

const children = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)

const noProc = isLinux ? false : 'the processes of another system are not listed in /proc'

test(
  'interrupted: what is there is printed, exit 130, no server stays',
  { skip: noProc || onlyFull },
  async () => {
    const flags = ['--json', '--models', 'node', '--connections', '2', '--duration', '1h']
    await using program = yodel(['compare-engines', ...flags])
    const { pid } = program.child
    // Signals are heeded before the first server is started.
    while (children(pid!).length === 0) await sleep(10)
    const servers = children(pid!)
    await sleep(400)
    program.kill('SIGINT')
    const { code, stdout, stderr } = await program.finished
    assert.equal(stderr, '')
    assert.equal(code, 130)
    const { interrupted, models } = JSON.parse(stdout.toString()) as Document
    assert.equal(interrupted, true)
    assert.deepEqual(models[0]!.rounds, [])
    for (const server of servers) assert.ok(!existsSync(`/proc/${server}`), `${server} runs`)
  },
)
