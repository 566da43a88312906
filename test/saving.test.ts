/** Where results are written: the target keeps its kind, and no result is lost. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serve, type RunResult, type Server } from 'yodel'
import { onlyFull } from './full.ts'
import { missing, Program, yodelPath } from './program.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
const inFolder = (name: string) => join(folder, name)
const saved = inFolder('saved.json')
const typed = createTypist()
const brief = ['--count', '50', '--warmup', '0']
/** A machine that is busy may hold the generator up, and then it says so. */
const codeOf = ({ valid }: RunResult): number => (valid ? 0 : 4)
let server: Server
let document: string
before(async () => {
  server = await serve('127.0.0.1:0')
  const { code } = await typed(['bench', server.url, ...brief, '--output', saved])
  document = readFileSync(saved, 'utf8')
  assert.equal(code, codeOf(JSON.parse(document) as RunResult))
})
after(async () => {
  rmSync(folder, { recursive: true })
  await server.close('now')
})

const report = (target: string) => typed(['report', saved, '-o', target])
const posix = process.platform === 'win32' && 'Windows has other kinds of files'
const noFifos = posix || missing('mkfifo')
/** The same text as before, and nothing beside it. */
const holds = (path: string) => assert.equal(readFileSync(path, 'utf8'), document)

type Row = [what: string, prepare: (path: string) => void, check: (path: string) => void]
const rows: Row[] = [
  ['a new name', () => {}, path => assert.equal(statSync(path).nlink, 1)],
  [
    'a file with a mode of its own',
    path => {
      writeFileSync(path, 'old')
      chmodSync(path, 0o604)
    },
    path => assert.equal(statSync(path).mode & 0o777, 0o604),
  ],
  [
    'a file with two names',
    path => {
      writeFileSync(path, `old${'.'.repeat(100_000)}`)
      linkSync(path, `${path}.other`)
    },
    path => {
      holds(`${path}.other`)
      assert.equal(statSync(path).nlink, 2)
    },
  ],
  [
    'a link to a file',
    path => {
      writeFileSync(`${path}.there`, 'old')
      symlinkSync(`${path}.there`, path)
    },
    path => {
      holds(`${path}.there`)
      assert.ok(lstatSync(path).isSymbolicLink())
    },
  ],
  [
    'a link to what is not there yet',
    path => {
      mkdirSync(`${path}.place`)
      symlinkSync(`${path}.place/new`, path)
    },
    path => {
      holds(`${path}.place/new`)
      assert.ok(lstatSync(path).isSymbolicLink())
    },
  ],
]

for (const [n, [what, prepare, check]] of rows.entries()) {
  test(`${what} stays what it was`, { skip: posix }, async () => {
    const path = inFolder(`row-${n}.json`)
    prepare(path)
    const { code, stderr } = await report(path)
    assert.deepEqual([code, stderr], [0, `yodel: wrote ${path}\n`])
    holds(path)
    check(path)
    assert.deepEqual(
      readdirSync(folder).filter(name => name.endsWith('.tmp')),
      [],
    )
  })
}

test('a name that leaves no room for another beside it', { skip: posix }, async () => {
  const path = inFolder(`${'n'.repeat(250)}.json`)
  writeFileSync(path, 'old')
  assert.equal((await report(path)).code, 0)
  holds(path)
})

test('a FIFO stays one: its reader gets all of it, of a bench too', { skip: noFifos }, async () => {
  const fifo = inFolder('fifo.json')
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0)
  for (const command of [
    ['report', saved, '-o', fifo],
    ['bench', server.url, ...brief, '--output', fifo],
  ]) {
    const read = readFile(fifo, 'utf8')
    const { code, stderr } = await typed(command)
    const result = JSON.parse(await read) as RunResult
    assert.equal(stderr, `yodel: wrote ${fifo}\n`)
    assert.equal(code, command[0] === 'report' ? 0 : codeOf(result))
    assert.equal(result.verdict, 'pass')
  }
  assert.ok(lstatSync(fifo).isFIFO())
  const alone = await report(fifo)
  assert.match(
    alone.stderr,
    /^yodel: Cannot write \S+: no process reads from it\. Start its reader/,
  )
  assert.equal(alone.code, 2)
})

test(
  'stdout under another name, where it is a file: behind what is there',
  { skip: posix || onlyFull },
  async () => {
    const [name, out] = [inFolder('out.json'), inFolder('printed')]
    symlinkSync('/dev/stdout', name)
    const yodel = `'${process.execPath}' '${yodelPath}'`
    const command = `${yodel} report '${saved}' -o '${name}' >> '${out}'`
    writeFileSync(out, 'before\n')
    await using program = new Program('sh', ['-c', command], 'ignore')
    assert.equal((await program.finished).code, 0)
    assert.equal(readFileSync(out, 'utf8'), `before\n${document}`)
    assert.ok(lstatSync(name).isSymbolicLink())
  },
)

test('the same file twice is refused before anything is sent', { skip: posix }, async () => {
  const [one, link, hard] = ['same.json', 'link.json', 'hard.json'].map(inFolder)
  writeFileSync(one!, 'old')
  symlinkSync(one!, link!)
  linkSync(one!, hard!)
  const fresh = inFolder('fresh.json')
  for (const [a, b] of [
    [one, link],
    [hard, one],
    [one, one],
    [fresh, join(folder, '..', folder.split('/').at(-1)!, 'fresh.json')],
  ]) {
    const before = server.counts().opened
    const outputs = ['--output', a!, '--output', b!]
    const { code, stdout, stderr } = await typed(['bench', server.url, ...brief, ...outputs])
    assert.match(stderr, /^yodel: The outputs? \S+ (?:and \S+ are the same file|is named twice)\./)
    assert.deepEqual([code, stdout, server.counts().opened], [2, '', before])
  }
  assert.equal(readFileSync(one!, 'utf8'), 'old')
  assert.ok(!existsSync(fresh))
})

/** A mount namespace of its own, which needs no privileges where users may have one. */
const unshare = ['unshare', '-rm']
const noMounts =
  process.platform !== 'linux'
    ? 'mounts are those of Linux'
    : spawnSync(unshare[0]!, [...unshare.slice(1), 'mount', '-t', 'tmpfs', 'none', folder])
        .status !== 0 && 'nothing may be mounted here (unshare -rm)'

test(
  'what is mounted, lies in a folder that is read-only, or on a full disk',
  { skip: noMounts },
  async () => {
    const place = mkdtempSync(inFolder('mounts-'))
    const outputs = ['full/old.json', 'full.html', 'mounted.json', 'ro/file.json', 'good.json']
    const flags = outputs.flatMap(name => ['--output', name])
    const yodel = `'${process.execPath}' '${yodelPath}'`
    const script = `set -e; cd '${place}'; mkdir full ro; echo theirs > theirs; echo old > source
      mount -t tmpfs -o size=8k none full; echo old > full/old.json; echo old > full/old.html
      touch full.html mounted.json ro/file.json
      mount --bind full/old.html full.html; mount --bind source mounted.json
      mount --bind ro ro; mount -o remount,bind,ro ro; mount --bind theirs ro/file.json
      code=0; ${yodel} bench ${server.url} ${[...brief, ...flags].join(' ')} || code=$?
      grep -H . full/old.json full.html; ls full; exit $code`
    const args = [...unshare.slice(1), 'sh', '-c', script]
    await using program = new Program(unshare[0]!, args, 'ignore')
    const { code, stdout, stderr } = await program.finished
    const wrote = outputs.slice(2).map(name => `yodel: wrote ${name}`)
    const full = (name: string) =>
      `yodel: Cannot write ${name}: the disk is full. Free some space, or `
    const lines = stderr.trimEnd().split('\n')
    assert.ok(lines[0]!.startsWith(full('full/old.json')), stderr)
    assert.ok(lines[1]!.startsWith(full('full.html')), stderr)
    assert.deepEqual(lines.slice(2), [...wrote, 'yodel: the result is on stdout instead, as JSON'])
    // Below the report the result, and what was on the full disk is as it was.
    const shown = stdout.toString().trimEnd().split('\n')
    assert.deepEqual(shown.slice(-4), [
      'full/old.json:old',
      'full.html:old',
      'old.html',
      'old.json',
    ])
    const result = JSON.parse(shown.at(-5)!) as RunResult
    assert.equal(result.messages.received, 50)
    for (const name of ['source', 'theirs', 'good.json'])
      assert.deepEqual(JSON.parse(readFileSync(join(place, name), 'utf8')), result)
    assert.equal(code, 2)
  },
)

test('a socket, or a link to one, is refused before the run', { skip: posix }, async () => {
  const socket = inFolder('socket.json')
  const link = inFolder('link-to-socket.json')
  symlinkSync(socket, link)
  const other = createServer().listen(socket)
  await once(other, 'listening')
  for (const path of [socket, link]) {
    const { code, stdout, stderr } = await typed(['bench', server.url, ...brief, '--output', path])
    const why = `Cannot write ${path}: it is a socket. Name a file, or a FIFO.`
    assert.deepEqual([code, stdout, stderr], [2, '', `yodel: ${why}\n`])
  }
  other.close()
})
