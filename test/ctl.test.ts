/** The real program with a dashboard: yodel ctl, the log, and what is printed. */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { onlyFull } from './full.ts'
import { dial, echo, ending } from './client.ts'
import type * as Clients from '../src/engines/control-client.ts'
import type * as Access from '../src/dashboard/access.ts'
import { startBoard, type Board } from './dashboard.ts'
import { built, portOf, yodel } from './program.ts'
import { createTypist } from './typist.ts'

const { checkToken } = (await import(built('dashboard/access.js'))) as typeof Access
const { ControlClient } = (await import(built('engines/control-client.js'))) as typeof Clients

const typed = createTypist()
const run = (...args: string[]) => typed(args)

const token = 'correct-horse-battery'
let board: Board
const ctl = (...args: string[]) => run('ctl', '--url', board.dashboard.link, ...args)
before(async () => {
  board = await startBoard({ token, faults: [], serve: { faults: [] } })
  board.observer.start()
})
after(() => board[Symbol.asyncDispose]())

suite('yodel ctl', { concurrency: 4 }, () => {
  test('snapshot and connections list the clients; kill closes one', async () => {
    const socket = await dial(board.server.address)
    await echo(socket, 'hello')
    await board.observer.observe()
    const peer = `127.0.0.1:${socket.localPort}`
    const { stdout } = await ctl('connections', '--filter', peer)
    const [, id] = new RegExp(`^(\\d+) +${peer} +0 `, 'm').exec(stdout)!
    const snapshot = JSON.parse((await ctl('snapshot', '--json')).stdout)
    assert.equal(snapshot.server.listeners[0].url, board.server.url)
    assert.ok(snapshot.second.open >= 1)
    const killed = ending(socket)
    assert.equal((await ctl('kill', id!)).stderr, 'yodel: killed 1\n')
    await killed
  })

  test('faults are set, or what is wrong with them is said', async () => {
    const set = await ctl('faults', 'set', 'slice=2', 'delay=1ms')
    assert.match(
      set.stdout,
      /^0 {2}slice=2 delay=1ms\n {3}yodel serve tcp:.* --fault slice=2 --fault/,
    )
    const wrong = await ctl('faults', 'set', 'delay=1 parsec')
    assert.deepEqual([wrong.code, wrong.stdout], [2, ''])
    assert.match(wrong.stderr, /^yodel: '1 parsec' is not a duration\. .*\n$/)
  })

  test('bench prints what bench prints, and exits as it does', async () => {
    const { code, stdout } = await ctl('bench', '--duration', '100ms', '--rate', '100', '--json')
    const { verdict, run } = JSON.parse(stdout)
    assert.deepEqual([verdict, run.address], ['pass', board.server.url])
    assert.ok(code === 0 || code === 4, 'done, or the generator was the limit')
  })
})

suite('yodel ctl that cannot do it', () => {
  test('what is wrong is said in one line', async () => {
    const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const unused = createServer().listen(0, '127.0.0.1')
    await once(unused, 'listening')
    const free = (unused.address() as AddressInfo).port
    unused.close()
    const { stderr, ...result } = await run('ctl', '--url', `:${free}`, 'snapshot')
    assert.match(
      stderr,
      /^yodel: Cannot reach the dashboard at http:\/\/127.0.0.1:\d+: no server listens .*\n$/,
    )
    assert.deepEqual(result, { code: 3, stdout: '' })
    assert.match(
      (await ctl('kill')).stderr,
      /^yodel: Choose the connections to kill in exactly one way\. .*\n$/,
    )
    const ask = async (url: string) => new ControlClient(url, undefined).ask('POST', '/api/drain')
    const token = 'The token is missing.'
    await assert.rejects(ask(board.dashboard.url), {
      message: token,
      hint: 'Give it in YODEL_TOKEN, or with --token-file.',
    })
    await assert.rejects(ask(`:${port}`), {
      message: `http://127.0.0.1:${port} is not a dashboard of yodel.`,
    })
    await assert.rejects(ask('http://['), { kind: 'usage' })
    await assert.rejects(ask(`https://127.0.0.1:${port}`), {
      message: /^Cannot reach the dashboard at \S+: it speaks no TLS, so write http:.*\.$/,
    })
    other.close()
    assert.equal(board.drained, false)
  })
})

const taken = /^yodel: Cannot listen on tcp:\/\/127.0.0.1:\d+ for --dashboard: the address is .*\n$/

suite('yodel serve', { concurrency: 4 }, () => {
  test('--dashboard prints where it is, a public one has a token; drain ends it', async () => {
    const everywhere = ['--dashboard', '0.0.0.0:0', '--json']
    await using program = yodel(['serve', ':0', '--engine', 'node', ...everywhere])
    const [ready] = await program.says(/^\{"event":"listening".*\n/)
    const { address, ...more } = JSON.parse(ready) as Record<string, unknown>
    assert.match(String(address), /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
    assert.deepEqual(more, { event: 'listening', engine: 'node', pid: program.child.pid })
    const [, link] = await program.says(/\{"event":"dashboard","url":"([^"]+)"\}/)
    assert.match(link!, /^http:\/\/0\.0\.0\.0:\d+\/\?token=[\w-]{32}$/)
    await program.says(/yodel: The dashboard can be reached from other machines, over plain HTTP;/)
    const url = link!.replace('0.0.0.0', '127.0.0.1')
    const guess = async (n: number) =>
      (await fetch(new URL(`/?token=${'x'.repeat(20)}${n}`, url))).status
    for (let n = 0; n < 10; n++) assert.equal(await guess(n), 401)
    // A token that was made cannot be guessed: the right one is accepted all the same.
    assert.equal(await guess(10), 429)
    assert.equal((await run('ctl', '--url', url, 'drain')).code, 0)
    const { code, stderr } = await program.finished
    assert.equal(code, 0)
    assert.match(stderr, /yodel: served 0 clients, 0 B echoed\n$/)
  })

  test(
    'it gets into its own listeners, through TLS and a PROXY header',
    { skip: onlyFull },
    async () => {
      const listener = ['tls://127.0.0.1:0', '--proxy-protocol', 'require']
      const log = ['--log-level', 'info']
      const brief = ['--duration', '100ms', '--rate', '100', '--json']
      await using program = yodel(['serve', ...listener, '--dashboard=:0', '--json', ...log])
      const [, url] = await program.says(/\{"event":"dashboard","url":"([^"]+)"\}/)
      const bench = await run('ctl', '--url', url!, 'bench', ...brief)
      const { verdict, messages } = JSON.parse(bench.stdout)
      assert.equal(verdict, 'pass')
      assert.ok(messages.received > 0)
      await new ControlClient(url!, undefined).ask('POST', '/api/drain')
      assert.match((await program.finished).stderr, /"msg":"draining"\}\n/)
    },
  )

  const shown = 'what a script does is shown, and how to start it like that; a note, too'
  test(shown, { skip: onlyFull }, async () => {
    const script = join(mkdtempSync(join(tmpdir(), 'yodel-script-')), 'script.json')
    writeFileSync(
      script,
      '[{"at":"0s","faults":["delay=1ms"]},{"at":"500ms","faults":["slice=2"]}]',
    )
    const faulting = ['--fault-script', script, '--fault', 'delay=9ms', '--seed', '7']
    const tokenFile = join(mkdtempSync(join(tmpdir(), 'yodel-token-')), 'token')
    writeFileSync(tokenFile, token)
    const secret = ['--dashboard=:0', '--dashboard-token-file', tokenFile]
    await using program = yodel(['serve', ':0', '--concurrency', '3', ...faulting, ...secret])
    const [, url] = await program.says(/listening on (\S+)\n/)
    const [, where] = await program.says(/dashboard on (\S+)\n/)
    const known = ['--url', where!, '--token-file', tokenFile]
    const again = `yodel serve ${url} --concurrency 3 --seed 7 --engine node --fault`
    const first = await run('ctl', ...known, 'faults')
    assert.match(first.stdout, /^0 {2}(delay=1ms|slice=2)\n/)
    await program.says(/slice=2/)
    const second = await run('ctl', ...known, 'faults')
    assert.equal(second.stdout, `0  slice=2\n   ${again} slice=2\n`)
    const { stdout } = await run('ctl', ...known, 'snapshot')
    assert.match(stdout, /serving for \d+s\n.* 3 clients at a time\n {5}.*uring/)
  })
})

test('--dashboard that cannot be had ends the whole', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { code, stdout, stderr } = await run('serve', ':0', '--dashboard', `:${port}`)
  other.close()
  assert.deepEqual([code, stdout], [3, ''])
  assert.match(stderr, taken)
  assert.throws(() => checkToken('short'), { kind: 'usage' })
})

suite('what yodel serve says', { concurrency: 4 }, () => {
  test('--log-level debug: clients that came and went, a storm in one line', async () => {
    await using program = yodel(['serve', ':0', '--log-level', 'debug', '--engine', 'node'])
    const [, url] = await program.says(/listening on (\S+)\n/)
    const port = portOf(url!)
    const one = await dial({ port })
    await echo(one, 'hello')
    one.resetAndDestroy()
    await program.says(/"reason":"reset","msg":"closed"/)
    const many = await Promise.all(Array.from({ length: 40 }, () => dial({ port })))
    for (const socket of many) socket.destroy()
    await program.says(/"leftOut":\d+,"msg":"closed"/)
    program.kill()
    const { code, stdout, stderr } = await program.finished
    assert.deepEqual([code, stdout.toString()], [0, `yodel: listening on ${url}\n`])
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    const closed = lines.find(({ msg }) => msg === 'closed')
    assert.deepEqual([closed.level, closed.bytesIn, closed.bytesOut], ['debug', 5, 5])
    const gone = lines.filter(({ msg }) => msg === 'closed')
    const total = gone.reduce((sum, { leftOut = 0 }) => sum + 1 + leftOut, 0)
    assert.equal(total, 41)
    assert.ok(gone.length <= 12, `${gone.length} lines`)
    assert.match(lines.at(-1).msg, /^served 41 clients, 5 B echoed; failures: reset 1$/)
  })

  test(
    '--log-level debug behind a proxy: the client, and the proxy it came by',
    { skip: onlyFull },
    async () => {
      const args = ['serve', ':0', '--log-level', 'debug', '--proxy-protocol', 'require']
      await using program = yodel(args)
      const [, url] = await program.says(/listening on (\S+)\n/)
      const socket = await dial({ port: portOf(url!) })
      socket.end('PROXY TCP4 192.0.2.1 192.0.2.2 1234 7007\r\nhello')
      const via = `"peer":"192.0.2.1:1234","via":"127.0.0.1:${socket.localPort}"`
      await program.says(new RegExp(`${via},.*"msg":"closed"`))
      socket.destroy()
    },
  )

  test('--quiet says nothing', { skip: onlyFull }, async () => {
    await using program = yodel([
      'serve',
      ':0',
      '--quiet',
      '--engine',
      'blocking',
      '--dashboard',
      ':0',
    ])
    await program.says(/dashboard on/)
    program.kill()
    const { code, stderr } = await program.finished
    assert.deepEqual([code, stderr], [0, ''])
  })
})
