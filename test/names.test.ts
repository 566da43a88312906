/** A name with several addresses, of which only a later one answers: each way to dial tries it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { serve } from 'yodel'
import { Program, yodelPath } from './program.ts'
import { full, onlyFull } from './full.ts'
import { refusal } from './refusal.ts'

/** The program with an /etc/hosts of its own, in which a name stands for ::1 and then 127.0.0.1. */
function withHosts(args: string[], input = 'ignore'): Program {
  const file = join(mkdtempSync(join(tmpdir(), 'yodel-')), 'hosts')
  writeFileSync(file, '::1 dual.test\n127.0.0.1 dual.test\n')
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"'
  const inside = ['sh', '-c', script, file, process.execPath, yodelPath, ...args]
  return new Program('unshare', ['--map-root-user', '--mount', ...inside], input)
}

const mayMount = spawnSync('unshare', [
  '--map-root-user',
  '--mount',
  'mount',
  '--bind',
  '/tmp',
  '/mnt',
])
const skip = mayMount.status === 0 ? false : 'no file can be mounted over /etc/hosts here'

for (const engine of ['node', 'uring'] as const) {
  const reason = skip || (engine === 'uring' && onlyFull) || refusal(engine)
  test(`bench over tcp, ${engine}`, { skip: reason }, async () => {
    await using server = await serve('tcp://127.0.0.1:0')
    const { port } = server.address as { port: number }
    const load = ['--engine', engine, '--connections', '20', '--count', '60', '--warmup', '0']
    load.push('--timeout', '50s', '--drain', '50s')
    await using program = withHosts(['bench', `dual.test:${port}`, ...load, '--json'])
    const { code, stdout, stderr } = await program.finished
    assert.equal(stderr.includes('no server listens'), false, stderr)
    assert.ok(code === 0 || code === 4, stderr + stdout.toString())
    assert.equal(JSON.parse(stdout.toString()).messages.received, 60)
    if (!full) return
    await using bench = withHosts(['bench', 'dual.test:1', '--engine', engine, '--count', '1'])
    const refused = await bench.finished
    assert.equal(refused.code, 3)
    assert.match(refused.stderr, /no server listens there \(ECONNREFUSED\)/)
  })
}

test(
  'udp: what was refused before anything counted goes to the next address',
  { skip: skip || onlyFull },
  async () => {
    await using server = await serve('udp://127.0.0.1:0')
    const { port } = server.address as { port: number }
    const url = `udp://dual.test:${port}`
    for (const rate of [[], ['--rate', '500']]) {
      const load = ['--connections', '20', '--count', '60', '--warmup', '0', '--json', ...rate]
      load.push('--timeout', '50s', '--drain', '50s')
      await using program = withHosts(['bench', url, ...load])
      const { stdout } = await program.finished
      // Whether a busy machine keeps to the rate is not what matters here.
      const { messages, errors } = JSON.parse(stdout.toString())
      assert.deepEqual([messages.sent, messages.received, errors.refused], [60, 60, 0])
    }
    await using pipe = withHosts(['connect', url, '--timeout', '50s'], 'hello')
    const piped = await pipe.finished
    assert.deepEqual([piped.code, piped.stderr, piped.stdout.toString()], [0, '', 'hello'])
    await using client = withHosts(['connect', 'udp://dual.test:1'], 'hello')
    const refused = await client.finished
    assert.equal(refused.code, 3)
    assert.match(refused.stderr, /no server listens there \(ECONNREFUSED\)/)
  },
)
