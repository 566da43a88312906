/** What deploy/ssh.md says to type is typed, in bash, with a shell that stands in for ssh. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test } from 'node:test'
import { serve, type RunResult } from 'yodel'
import { onlyFull } from './full.ts'
import { missing, Program, root, yodelPath } from './program.ts'

const [clocks = '', measure = ''] = [
  ...readFileSync(`${root}deploy/ssh.md`, 'utf8').matchAll(/```bash\n(.*?)```/gs),
].map(([, block]) => block!)
const skip = missing('bash')

const folder = mkdtempSync(join(tmpdir(), 'yodel-ssh-'))
after(() => rmSync(folder, { recursive: true }))
const bin = join(folder, 'bin')
mkdirSync(bin)

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}`)
  chmodSync(join(bin, name), 0o755)
}
program('yodel', `exec ${process.execPath} ${yodelPath} "$@"\n`)
program('node', `exec ${process.execPath} "$@"\n`)
// As sshd does it: the words are joined, and a shell in a folder of the host reads them.
program(
  'ssh',
  `while :; do case $1 in -o) shift 2;; -*) shift;; *) break;; esac; done
host=$1; shift
[ "$host" != "$DOWN" ] || { echo "ssh: connect to host $host: No route to host" >&2; exit 255; }
mkdir -p "${folder}/$host" && cd "${folder}/$host" && exec sh -c "$*"
`,
)

const typed = (script: string, down = 'none') => {
  const path = `PATH=${bin}${delimiter}${process.env['PATH']}`
  const args = [path, `DOWN=${down}`, `TMPDIR=${folder}`, 'bash', '-c', script]
  return new Program('env', args, 'ignore').finished
}

/** The block with another load. The instant is soon, and later on a machine that is slow today. */
async function measured(load: string, down?: string) {
  for (const ahead of [5, 20, 60]) {
    const script = measure
      .replace(/^LOAD=.*$/m, `LOAD="${load}"`)
      .replace(/^AHEAD=.*$/m, `AHEAD=${ahead}`)
    assert.ok(script.includes(load) && script.includes(`AHEAD=${ahead}\n`))
    const finished = await typed(script, down)
    if (!/ is past: /.test(finished.stderr)) return finished
  }
  throw new Error('a minute is not enough to start three programs')
}

const resultIn = (stdout: Buffer) => {
  const [, path] = /parts and result: (.*)/.exec(stdout.toString())!
  return JSON.parse(readFileSync(join(path!, 'all.json'), 'utf8')) as RunResult
}

test('the clocks of the hosts are compared', { skip: skip || onlyFull }, async () => {
  const { code, stdout, stderr } = await typed(clocks)
  assert.equal(code, 0, stderr)
  const lines = stdout.toString().trim().split('\n')
  assert.equal(lines.length, 3)
  for (const line of lines) {
    const [, off, bound] = /^load\d: (-?\d+) ms, give or take (\d+) ms$/.exec(line)!
    // They are one machine's.
    assert.ok(Math.abs(Number(off)) <= Number(bound), line)
  }
})

test(
  'three hosts send one load, and merge says what the whole was',
  { skip: skip || onlyFull },
  async () => {
    await using server = await serve('tcp://127.0.0.1:0')
    const load = `${server.url} --count 60 --rate 1k --warmup 0 --connections 3 --expect 'p50<9s'`
    const { code, stdout, stderr } = await measured(load)
    const all = resultIn(stdout)
    assert.deepEqual([all.messages.planned, all.messages.received], [60, 60], stderr)
    assert.deepEqual(
      all.run.parts!.map(({ slice }) => slice),
      ['1/3', '2/3', '3/3'],
    )
    assert.deepEqual(
      all.expectations.map(({ held }) => held),
      [true],
    )
    assert.equal(code, all.valid ? 0 : 4, stdout.toString())
  },
)

test('a host that is down is named', { skip: skip || onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0')
  const load = `${server.url} --count 60 --rate 1k --warmup 0 --connections 3`
  const { code, stdout, stderr } = await measured(load, 'load2')
  assert.match(stderr, /No route to host/)
  assert.match(stdout.toString(), /Slice 2 of 3 is missing/)
  assert.equal(resultIn(stdout).valid, false)
  assert.equal(code, 4)
})
