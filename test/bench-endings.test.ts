/** How the real `yodel bench` ends: what it says then, and its exit code. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { onlyFull, short } from './full.ts'
import type { RunResult } from 'yodel'
import { listen } from './peers/server.ts'
import { Program, yodel, yodelPath } from './program.ts'
import { loadRefusal } from './refusal.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))

/** The same however busy the machine is. */
const brief = ['--count', '500', '--warmup', '0']

const typed = createTypist()
/** Until it ends by itself. */
const bench = (...args: string[]) => typed(['bench', ...args])

/** Connections that broke, for whatever reason. */
const failed = ({ errors }: RunResult) =>
  Object.values(errors).reduce((sum, count) => sum + count, 0)

/** Echoes a little late, so that the load has time, and says how much it has echoed. */
const slowServer = `
  let echoed = 0
  const echo = socket => data => setTimeout(() => {
    socket.write(data)
    console.log('echoed', ++echoed)
  }, 4)
  const server = require('node:net').createServer(socket => socket.on('data', echo(socket)))
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port))`

const stops = process.platform === 'win32' && 'Windows has no signals that stop a process'

describe('yodel bench ends', { concurrency: 4 }, () => {
  atTheBeginning()
  inTheMiddle()
  late()
  unconnected()
  beforeItBegins()
})

function churning() {
  test(
    'a generator of short connections that stands still is not valid either',
    { skip: stops || onlyFull },
    async () => {
      const clients: unknown[] = []
      await using echoing = await listen(socket => {
        clients.push(socket)
        socket.pipe(socket)
      })
      const args = ['--connections', '0', '--churn', '40', '--duration', '3s', '--warmup', '0']
      await using program = yodel(['bench', echoing.url, ...args])
      while (clients.length < 5) await sleep(5)
      program.kill('SIGSTOP')
      await sleep(1_000)
      program.kill('SIGCONT')
      const { code, stdout } = await program.finished
      const text = stdout.toString()
      assert.match(text, /^INVALID: churn\.[^:]* the\s+generator's\s+own:\s+it\s+was\s+held\s+up/)
      assert.match(
        text,
        /The\s+generator\s+was\s+the\s+limit: 1 % of\s+its\s+short\s+connections\s+began/,
      )
      assert.equal(code, 4)
    },
  )
}

function atTheBeginning() {
  const early = 'Ctrl-C while it is still being loaded: a sentence, and exit 130'
  test(early, { skip: process.platform === 'win32' && 'Windows has no signals' }, async () => {
    // Sends it once it is heeded, and says if the parser of the command line is loaded by then.
    const script = `
      import { Module } from 'node:module'
      process.on('newListener', function listen(name) {
        if (name !== 'SIGINT') return
        process.off('newListener', listen)
        if (Object.keys(Module._cache).some(path => path.includes('commander'))) console.log('late')
        setImmediate(() => process.kill(process.pid, 'SIGINT'))
      })`
    const preload = `data:text/javascript,${encodeURIComponent(script)}`
    await using echoing = await listen(socket => socket.pipe(socket))
    const args = ['--import', preload, yodelPath, 'bench', echoing.url]
    await using program = new Program(process.execPath, args, 'ignore')
    const { code, stdout, stderr } = await program.finished
    assert.deepEqual([code, stdout.toString()], [130, ''], stderr)
    // By the time it comes the command may be loaded.
    assert.match(stderr, /^yodel: interrupted before it (began|was connected; nothing was sent)\n$/)
  })
}

function inTheMiddle() {
  churning()

  test(
    'a generator that stands still says so first, and exits 4',
    { skip: stops || onlyFull },
    async () => {
      await using echoing = await listen(socket => socket.pipe(socket))
      const args = ['--rate', '150', '--count', '300', '--connections', '20', '--depth', '20']
      const flags = [...args, '--warmup', '0', '--drain', '10s']
      await using program = yodel(['bench', echoing.url, ...flags])
      const client = await echoing.client
      while (client.bytesRead < 64) await sleep(5)
      // What becomes due meanwhile is sent at once afterwards. The plan is so long that even a busy
      // machine stops it in time, and the stop is longer than a busy peer takes to answer.
      program.kill('SIGSTOP')
      await sleep(1_000)
      program.kill('SIGCONT')
      const { code, stdout } = await program.finished
      const text = stdout.toString()
      assert.match(text, /^INVALID: [^:]* the\s+generator's\s+own:\s+it\s+was\s+held\s+up/)
      assert.match(text, /The\s+generator\s+was\s+the\s+limit: 1 % of\s+its\s+messages/)
      assert.match(
        stdout.toString(),
        /\n {2}messages {4}300 planned, 300 sent, 300 verified, 0 lost/,
      )
      assert.equal(code, 4)
    },
  )

  test('Ctrl-C: the report of what there was, and exit 130', async () => {
    await using echoing = await listen(socket => socket.pipe(socket))
    await using program = yodel(['bench', '--json', echoing.url, '--warmup', '0'])
    const client = await echoing.client
    while (client.bytesRead < 100 * 64) await sleep(5)
    program.kill('SIGINT')
    const { code, stdout } = await program.finished
    const { messages, verdict } = JSON.parse(stdout.toString()) as RunResult
    assert.ok(messages.received >= 100)
    assert.deepEqual([messages.sent, messages.lost], [messages.received, 0])
    assert.equal(verdict, 'pass')
    assert.equal(code, 130)
  })

  test('a server that is killed in the middle: a report, its connections counted', async () => {
    await using victim = new Program(process.execPath, ['-e', slowServer], 'ignore')
    const [, port] = await victim.says(/port (\d+)/)
    const flags = ['--connections', '4', '--warmup', '0']
    const ended = bench(`:${port}`, '--json', ...flags)
    await victim.says(/echoed 40\b/)
    victim.kill('SIGKILL')
    const { code, stdout } = await ended
    const result = JSON.parse(stdout) as RunResult
    assert.ok(result.messages.received >= 36)
    assert.equal(failed(result), 4)
    assert.equal(result.errors.closedEarly + result.errors.reset, 4)
    assert.equal(result.verdict, 'fail')
    assert.equal(code, 1)
  })
}

function late() {
  for (const engine of ['node', 'uring'] as const)
    test(`what goes out behind the window is not sent in it: ${engine}`, async context => {
      const why = stops || onlyFull || loadRefusal(engine)
      if (why) return context.skip(why)
      let seenBytes = 0
      await using echoing = await listen(socket => {
        socket.on('data', data => {
          seenBytes += data.length
          socket.write(data)
        })
        socket.on('end', () => socket.end())
      })
      const load = ['--rate', '100', '--depth', '100', '--duration', '600ms', '--warmup', '0']
      await using program = yodel(['bench', '--json', echoing.url, '--engine', engine, ...load])
      await once(await echoing.client, 'data')
      program.kill('SIGSTOP')
      // Longer than the window, and what was on its way has come.
      await sleep(700)
      // The timer runs before the thread reads what has come.
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
      const seen = seenBytes / 64
      program.kill('SIGCONT')
      const result = JSON.parse((await program.finished).stdout.toString()) as RunResult
      const { messages, rates, seconds } = result
      assert.deepEqual([messages.planned, messages.sent, messages.received], [60, 60, 60])
      const told = Math.round(rates.sentPerSecond! * seconds)
      assert.ok(told <= seen, `${told} told, ${seen} seen`)
    })
}

function unconnected() {
  test('Ctrl-C before it is connected: a sentence, and exit 130', { skip: onlyFull }, async () => {
    const rows = [
      ['bench', '--json'],
      ['connect'],
      ['bench'],
      ['bench', '--find-max', 'p99<5ms'],
      ['flood'],
    ]
    await Promise.all(
      rows.map(async ([command, ...flags]) => {
        // It accepts, and never answers the upgrade.
        await using silent = await listen()
        const url = silent.url.replace('tcp', 'ws')
        await using program = yodel([command!, url, ...flags])
        await silent.client
        program.kill('SIGINT')
        const { code, stdout, stderr } = await program.finished
        assert.equal(stderr, 'yodel: interrupted before it was connected; nothing was sent\n')
        assert.deepEqual([code, stdout.toString()], [130, ''])
      }),
    )
  })
}

function beforeItBegins() {
  test('what cannot be written is refused before anything is sent', async () => {
    let clients = 0
    await using idle = await listen(() => void clients++)
    const none = join(folder, 'none', 'run.json')
    for (const [path, said] of [
      [join(folder, 'run.txt'), /run\.txt does not say what to write\. It ends in one of \.csv, /],
      [
        none,
        /^yodel: Cannot write \S+none\S+: there is no such file or folder\. Check the path\.$/,
      ],
      [`${yodelPath}/run.json`, /: a part of its path is not a folder\. Check the path\.$/],
    ] as const) {
      const { code, stdout, stderr } = await bench(idle.url, ...brief, '--output', path)
      assert.match(stderr, new RegExp(`${said.source.replace(/\$$/, '')}[^\n]*\n$`))
      assert.equal(stderr.split('\n').length, 2)
      assert.deepEqual([code, stdout], [2, ''])
    }
    assert.equal(clients, 0)
  })

  test('no server listens, or the name is unknown: one line, and exit 3', async () => {
    const { url } = await (async () => {
      await using gone = await listen()
      return gone
    })()
    const tries: [string, RegExp][] = [
      [url, /no server listens there \(ECONNREFUSED\)\. Start a server with `yodel serve`/],
      [`unix:${join(folder, 'none.sock')}`, /no such file or folder \(ENOENT\)/],
      ['no-such-host.invalid:7', /no such host|the name service does not answer/],
    ]
    const tried = short(tries, tries.slice(0, 1)).map(async ([address, said]) => {
      const { code, stdout, stderr } = await bench(address, ...brief)
      assert.match(stderr, /^yodel: Cannot connect to [^\n]+\n$/)
      assert.match(stderr, said)
      assert.deepEqual([code, stdout], [3, ''])
    })
    await Promise.all(tried)
  })

  for (const [args, names] of [
    ['--rate 0', 'rate'],
    ['--size 0', 'size'],
    ['--size 5-2', '5-2'],
    ['--connections -1', '--connections'],
    ['--connections 0', 'connections'],
    ['--depth 0', 'depth'],
    ['--threads 0', 'threads'],
    ['--duration 5', '--duration'],
    ['--rate 5k --find-max p99<5ms', 'rate'],
    ['--precision 5%', '--precision'],
    ['--expect speed<5ms', 'speed'],
    ['--json --ndjson', '--ndjson'],
  ] as const) {
    test(`refused with one line that names it: ${args}`, async () => {
      const { code, stdout, stderr } = await bench(':1', ...args.split(' '))
      assert.match(stderr, /^yodel: [^\n]+\n$/)
      assert.ok(stderr.includes(names), stderr)
      assert.deepEqual([code, stdout], [2, ''])
    })
  }
}
