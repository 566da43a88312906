/** Where io_uring or FFI is missing: what the real program says, and that it serves anyway. */
import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ServeOptions } from 'yodel'
import { dial, echo, read } from './client.ts'
import { onlyFull } from './full.ts'
import { missing, portOf, Program, root, yodelPath } from './program.ts'
import { refusal } from './refusal.ts'

const linux = process.platform === 'linux'

/** Starts yodel with these arguments where something is missing. */
type Start = (...args: string[]) => Program

/** That a refusal is one line with its reason, and that `auto` serves, having said it once. */
function refuses(start: Start, reason: string, engines: string[], skipAuto: false | string) {
  for (const engine of engines) {
    const skip = !skipAuto && onlyFull
    test(`--engine ${engine} is refused with one line`, { skip }, async () => {
      await using program = start('serve', ':0', '--engine', engine)
      const { code, stdout, stderr } = await program.finished
      const who = engine === 'uring' ? 'io_uring' : `The ${engine} engine`
      const sentence = reason.replace(/^io_uring/, who)
      assert.equal(stderr, `yodel: ${sentence} Try \`--engine auto\`, which takes node.\n`)
      assert.equal(String(stdout), '')
      assert.equal(code, 2)
    })
  }

  const auto = '--engine auto says it once, whatever it listens on, and serves with node'
  test(auto, { skip: skipAuto }, async () => {
    await using program = start('serve', ':0', ':0', '--json', '--engine', 'auto')
    const [said] = await program.says(/(.*"listening".*\n){2}/)
    const servers = said.trim().split('\n')
    for (const line of servers) {
      const { address, engine } = JSON.parse(line) as { address: string; engine: string }
      assert.equal(engine, 'node')
      const client = await dial({ port: portOf(address) })
      assert.equal(await echo(client, 'hello'), 'hello')
      client.destroy()
    }
    program.kill()
    const { code, stderr } = await program.finished
    assert.ok(stderr.startsWith(`yodel: The node engine serves. ${reason}\n`), stderr)
    assert.equal(stderr.split(reason).length, 2, stderr)
    assert.equal(code, 0)
  })
}

/**
 * Containers forbid io_uring by a seccomp filter, with either error. The sysctl
 * kernel.io_uring_disabled needs root to be set, and also says EPERM: that case is this one.
 */
const reasons = {
  EPERM: 'io_uring is forbidden here: by the sysctl kernel.io_uring_disabled, or by seccomp.',
  ENOSYS: 'io_uring is not part of this kernel, or a sandbox hides it.',
}
// Where io_uring is refused without a filter, another sentence may come first.
const skip = linux ? missing('python3') || refusal('uring') : 'seccomp is part of Linux'
for (const [error, reason] of Object.entries(reasons)) {
  // The other error is handled in the same way, with another sentence.
  const skipHere = skip || (error === 'ENOSYS' && onlyFull)
  describe(`io_uring answers ${error}`, { skip: skipHere, concurrency: true }, () => {
    const filter = [`${root}test/peers/forbid.py`, `io_uring=${error}`]
    refuses(
      (...args) =>
        new Program('python3', [...filter, process.execPath, yodelPath, ...args], 'ignore'),
      reason,
      ['uring'],
      onlyFull,
    )
  })
}

describe(
  'koffi is not installed',
  { skip: !linux && 'io_uring is part of Linux', concurrency: true },
  () => {
    const copy = copyWithoutKoffi()
    after(() => rmSync(copy, { recursive: true }))

    const start: Start = (...args) =>
      new Program(process.execPath, [join(copy, 'dist/cli/main.js'), ...args], 'ignore')
    const reason = 'io_uring needs FFI. The optional package koffi is not installed.'
    refuses(start, reason, ['uring', 'blocking'], false)

    const only = 'what only io_uring can do is refused by auto too, and it says what that is'
    test(only, { skip: onlyFull }, async () => {
      await using program = start('serve', ':0', '--busy-poll', '50us')
      const { code, stderr } = await program.finished
      assert.equal(stderr, `yodel: The node engine cannot poll busily. ${reason}\n`)
      assert.equal(code, 2)
    })

    test('concurrency 1: the others are held, and served in the order of arrival', async () => {
      await using program = countingServer(copy, { engine: 'node', concurrency: 1 })
      const port = await portSaid(program)
      const first = await dial({ port })
      assert.equal(await echo(first, 'first'), 'first')
      // Accepted and held: with koffi they would be in the system's backlog, and not be counted.
      const second = await dial({ port })
      await program.says(/"waiting":1\b/)
      const third = await dial({ port })
      await program.says(/"waiting":2\b/)
      const fourth = await dial({ port })
      for (const [client, text] of [second, third, fourth].entries()) text.write(`waiter ${client}`)
      await program.says(/"waiting":3\b/)
      assert.equal(await echo(first, 'still the only one'), 'still the only one')
      for (const client of [second, third, fourth]) assert.equal(client.read(), null)
      // A client that gives up loses its place in the queue, and no other does.
      second.resetAndDestroy()
      await program.says(/"dequeued":1\b/)
      first.destroy()
      assert.equal(String(await read(third, 8)), 'waiter 1')
      assert.equal(fourth.read(), null)
      third.destroy()
      assert.equal(String(await read(fourth, 8)), 'waiter 2')
      fourth.destroy()
      await program.says(/"opened":3,.*"closed":3\b/)
    })

    // With koffi it is the same: descriptors.test.ts.
    const few = 'few descriptors: clients beyond them are turned away and counted'
    test(few, { skip: onlyFull }, async () => {
      await using program = countingServer(copy, { engine: 'node' }, 'ulimit -n 128;')
      const port = await portSaid(program)
      const clients = await Promise.all(Array.from({ length: 120 }, () => dial({ port })))
      // A client that is turned away may still be writing.
      for (const client of clients) client.on('error', () => {})
      const answers = clients.map(async client => echo(client, 'x').catch(() => 'none'))
      const served = (await Promise.all(answers)).filter(answer => answer === 'x').length
      assert.ok(served > 0 && served < 120, `${served} were served`)
      await program.says(new RegExp(`"opened":${served},.*"turnedAway":${120 - served}\\b`))
      // A served client stays served, and a free place is given to the next one.
      for (const [n, client] of clients.entries())
        if ((await answers[n]) === 'x') assert.equal(await echo(client, 'y'), 'y')
      const place = clients[(await Promise.all(answers)).indexOf('x')]!
      place.destroy()
      await program.says(/"closed":1\b/)
      const late = await dial({ port })
      assert.equal(await echo(late, 'late'), 'late')
      for (const client of [late, ...clients]) client.destroy()
    })
  },
)

/** The program as npm leaves it where koffi cannot be installed. */
function copyWithoutKoffi(): string {
  const copy = mkdtempSync(join(tmpdir(), 'yodel-without-koffi-'))
  cpSync(`${root}dist`, join(copy, 'dist'), { recursive: true })
  cpSync(`${root}package.json`, join(copy, 'package.json'))
  mkdirSync(join(copy, 'node_modules'))
  const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    dependencies: Record<string, string>
  }
  // Of a scope its folder, which is there once.
  for (const name of new Set(Object.keys(dependencies).map(name => name.split('/')[0]!)))
    symlinkSync(`${root}node_modules/${name}`, join(copy, 'node_modules', name))
  return copy
}

/** A server of the library in that folder, which prints its counters as they change. */
function countingServer(copy: string, options: ServeOptions, before = ''): Program {
  const script = `${before} exec "$0" "$1" '${JSON.stringify(options)}'`
  const file = join(copy, 'counting.js')
  writeFileSync(
    file,
    `import { serve } from './dist/index.js'
     const server = await serve('tcp://127.0.0.1:0', JSON.parse(process.argv[2]))
     console.log('listening on ' + server.url)
     let before
     setInterval(() => {
       const { opened, closed, dequeued, turnedAway, waiting } = server.snapshot()
       const now = JSON.stringify({ opened, closed, dequeued, turnedAway, waiting })
       if (now !== before) console.log(now)
       before = now
     }, 5)`,
  )
  return new Program('sh', ['-c', script, process.execPath, file], 'ignore')
}

async function portSaid(program: Program): Promise<number> {
  const [, url] = await program.says(/listening on (\S+)/)
  return portOf(url!)
}
