/** The probes: clients that may ask them, by which name, and that no other path is opened. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { dial, readAll, until } from './client.ts'
import { ask, startBoard, type Board } from './dashboard.ts'
import { onlyFull, short } from './full.ts'
import { portOf, yodel, type Program } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()
const token = 'correct-horse-battery'
const probes = ['/healthz', '/readyz']
const service = 'yodel.default.svc.cluster.local:8080'

let locked: Board
let everywhere: Board
let openMetrics: Board
before(async () => {
  locked = await startBoard({ token })
  const { server } = locked
  everywhere = await startBoard({ server, token, host: '0.0.0.0' })
  openMetrics = await startBoard({ server, token, host: '0.0.0.0', metricsOpen: true })
})
after(async () => {
  // The first one starts the server.
  for (const board of [openMetrics, everywhere, locked]) await board[Symbol.asyncDispose]()
})

/** Everything that comes back for these bytes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = await dial({ port })
  socket.write(text)
  const answer = (await readAll(socket)).toString()
  socket.destroy()
  return answer
}

const plainly = (start: string, host = 'evil.example', more = '') =>
  `${start} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`

/** Ways to write something else that a server might take for a probe, or the other way round. */
const tricks = [
  '//healthz',
  '/healthz/',
  '/healthz/.',
  '/./healthz',
  '/x/../healthz',
  '/healthz%00',
  '/healthz/../api/server',
  '/healthz/..%2fapi/server',
  '/healthz%2f..%2fapi%2fserver',
  '/%68ealthz',
  '/HEALTHZ',
  '/healthz;/api/server',
  '/healthz#/api/server',
  '/healthz\\',
  '/readyz/../metrics',
  '/healthz/metrics',
  '/metrics',
  '/metrics?/healthz',
  '/?/healthz',
  '/api/server?path=/healthz',
  '/api/server',
  '/api/events',
  '/',
  '*',
  '/healthz /metrics',
  'http://evil.example/healthz',
  'http://evil.example/api/server',
  'http://127.0.0.1/healthz',
]

suite('a probe', () => {
  test('is answered without token and by any name, with one word', async () => {
    const names = [service, 'evil.example', '10.0.0.1', 'a b', '']
    for (const board of [locked, everywhere])
      for (const path of probes)
        for (const host of names) {
          const answer = await raw(board.port, plainly(`GET ${path}`, host))
          assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/, `${path} ${host}`)
          assert.match(answer, /\r\n\r\nok\n$/)
          assert.doesNotMatch(answer, /yodel|set-cookie|access-control/i)
        }
    const old = await raw(everywhere.port, 'GET /readyz HTTP/1.0\r\n\r\n')
    assert.match(old, /^HTTP\/1\.1 200 [^]*\r\n\r\nok\n$/)
    assert.match(await raw(everywhere.port, plainly('GET /readyz?verbose')), /\r\n\r\nok\n$/)
    assert.match(await raw(everywhere.port, plainly('HEAD /healthz')), /^HTTP\/1\.1 200 /)
    assert.match(await raw(everywhere.port, plainly('HEAD /healthz')), /\r\n\r\n$/)
  })

  test('is answered if it offers HTTP/2, too', async () => {
    const offer = 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
    const start = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: ${service}\r\n` +
      `Connection: Upgrade, HTTP2-Settings\r\n${offer}\r\n`
    const answer = await raw(everywhere.port, start('/healthz'))
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok\n$/)
    assert.match(await raw(everywhere.port, start('/metrics')), /^HTTP\/1\.1 421 /)
  })

  test('opens nothing else: no path, no method, no name', async () => {
    for (const [host, refused] of [
      ['evil.example', /^HTTP\/1\.1 4(00|01|21) /],
      ['127.0.0.1', /^HTTP\/1\.1 40[01] /],
    ] as const) {
      for (const path of tricks) {
        const answer = await raw(everywhere.port, plainly(`GET ${path}`, host))
        assert.match(answer, refused, `${host} ${path}`)
        assert.doesNotMatch(answer, /\r\n\r\nok\n|yodel_|"version"/)
      }
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PURGE'])
        for (const path of probes) {
          const more = 'X-Yodel: 1\r\nContent-Length: 0\r\n'
          const answer = await raw(everywhere.port, plainly(`${method} ${path}`, host, more))
          assert.match(answer, refused, `${host} ${method} ${path}`)
        }
    }
    assert.equal(everywhere.drained, false)
  })

  test('counts for no client that guesses, and stops its guessing', async () => {
    const wrong = (n: number) => ({ headers: { Authorization: `Bearer ${'x'.repeat(15)}${n}` } })
    await using board = await startBoard({ server: locked.server, token })
    for (let n = 0; n < 10; n++)
      assert.equal((await board.ask('GET', '/api/server', wrong(n))).status, 401)
    assert.equal((await board.ask('GET', '/api/server', wrong(11))).status, 429)
    for (const path of probes) assert.equal((await board.ask('GET', path)).status, 200)
  })
})

suite('/metrics', () => {
  test('needs the token where there is one, and the right name', async () => {
    const right = { Authorization: `Bearer ${token}` }
    for (const board of [locked, everywhere]) {
      assert.equal((await board.ask('GET', '/metrics')).status, 401)
      assert.equal((await board.ask('GET', '/metrics', { headers: right })).status, 200)
      const foreign = { headers: { ...right, Host: service } }
      assert.equal((await board.ask('GET', '/metrics', foreign)).status, 421)
    }
  })

  test('is open by its own switch, and nothing else by that', async () => {
    const { status, text } = await openMetrics.ask('GET', '/metrics', {
      headers: { Host: service },
    })
    assert.equal(status, 200)
    assert.match(text, /^yodel_build_info\{/m)
    for (const path of ['/', '/api/server', '/metrics/', '//metrics'])
      assert.equal((await openMetrics.ask('GET', path)).status, 401, path)
    assert.equal((await openMetrics.ask('POST', '/metrics')).status, 401)
  })
})

test('one that does not listen any more is not ready, but alive', async () => {
  await using board = await startBoard()
  await board.server.close('now')
  await until(async () => (await board.ask('GET', '/readyz')).status === 503)
  assert.equal((await board.ask('GET', '/readyz')).text, 'not listening\n')
  assert.equal((await board.ask('GET', '/healthz')).text, 'ok\n')
})

const folder = mkdtempSync(join(tmpdir(), 'yodel-token-'))
const file = join(folder, 'token')
writeFileSync(file, `${token}\n`)
after(() => rmSync(folder, { recursive: true }))
const argvOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')
const bearer = { headers: { Authorization: `Bearer ${token}` } }

test('--health: the three of them for everyone, and 503 while it drains', async () => {
  const dashboard = ['--dashboard=:0', '--dashboard-token-file', file]
  const health = ['--health', '0.0.0.0:0', '--engine', 'node']
  await using program = yodel(['serve', ':0', ...health, ...dashboard])
  await showsNoToken(program)
  const [, url] = await program.says(/health on (\S+)\n/)
  const [, address] = await program.says(/listening on (\S+)\n/)
  await program.says(/can be reached from other machines; anyone can read the metrics/)
  const port = Number(new URL(url!).port)
  const named = { headers: { Host: service } }
  for (const path of probes) assert.equal((await ask(port, 'GET', path, named)).text, 'ok\n')
  const client = await dial({ port: portOf(address!) })
  await until(async () =>
    (await ask(port, 'GET', '/metrics', named)).text.includes('engine="node"} 1\n'),
  )
  for (const path of ['/', '/api/server', '/api/console', '/?token=x', '/healthz/'])
    assert.equal((await ask(port, 'GET', path)).status, 404, path)
  for (const path of [...probes, '/metrics'])
    assert.equal((await ask(port, 'POST', path)).status, 405)
  assert.equal((await ask(port, 'POST', '/api/drain')).status, 404)
  program.kill()
  await until(async () => (await ask(port, 'GET', '/readyz')).status === 503)
  assert.equal((await ask(port, 'GET', '/readyz')).text, 'draining\n')
  assert.equal((await ask(port, 'GET', '/healthz')).text, 'ok\n')
  client.destroy()
  const { code, stdout, stderr } = await program.finished
  assert.equal(code, 0)
  assert.ok(!`${stdout.toString()}${stderr}`.includes(token))
})

/** Its dashboard needs the token. */
async function showsNoToken(program: Program): Promise<string> {
  const [, url] = await program.says(/dashboard on (\S+)\n/)
  const port = Number(new URL(url!).port)
  assert.equal((await ask(port, 'GET', '/api/server')).status, 401)
  assert.equal((await ask(port, 'GET', '/api/server', bearer)).status, 200)
  assert.ok(!url!.includes(token))
  if (process.platform === 'linux') assert.ok(!argvOf(program.child.pid!).includes(token))
  return url!
}

/** With the variable set for it alone. */
function withVariable(value: string, args: string[]) {
  process.env['YODEL_TOKEN'] = value
  const program = yodel(args)
  delete process.env['YODEL_TOKEN']
  return program
}

const secret = 'its token comes from a file or a variable: neither argv nor stdout has it'
test(secret, { skip: onlyFull }, async () => {
  const args = ['serve', ':0', '--dashboard=:0', '--quiet', '--engine', 'node']
  const rows = [
    () => yodel([...args, '--dashboard-token-file', file]),
    () => withVariable(token, args),
    // The more specific rule precedes the other.
    () => withVariable('another-one-altogether', [...args, '--dashboard-token-file', file]),
  ]
  for (const start of rows) {
    await using program = start()
    const url = await showsNoToken(program)
    if (start === rows[1]) continue
    const known = ['ctl', '--url', url, '--token-file', file]
    assert.equal((await typed([...known, 'faults', '--json'])).code, 0)
    const drains = ['ctl', '--url', url, 'drain']
    assert.equal((await withVariable(token, drains).finished).code, 0)
    const { code, stdout, stderr } = await program.finished
    assert.equal(code, 0)
    assert.ok(!`${stdout.toString()}${stderr}`.includes(token))
  }
})

test('a token that is none keeps it from starting', async () => {
  writeFileSync(join(folder, 'empty'), '\n')
  const start = ['serve', ':0', '--dashboard=:0']
  type Ended = { code: number | null; stdout: unknown; stderr: string }
  const rows: [RegExp, () => Promise<Ended>][] = [
    [/^yodel: YODEL_TOKEN is empty\. /, () => withVariable('', start).finished],
    [/^yodel: The token of the dashboard has 16/, () => withVariable('short', start).finished],
    [
      /^yodel: The token file is empty\. /,
      () => typed(['ctl', '--token-file', join(folder, 'empty'), 'faults']),
    ],
    [/Cannot read it: ENOENT/, () => typed([...start, '--dashboard-token-file', 'nothing'])],
    [/unknown option '--dashboard-token'/, () => typed([...start, '--dashboard-token', token])],
  ]
  for (const [says, started] of short(rows, rows.slice(2))) {
    const { code, stdout, stderr } = await started()
    assert.deepEqual([code, String(stdout)], [2, ''])
    assert.match(stderr, says)
    assert.equal(stderr.trim().split('\n').length, 1)
  }
})

test('an address that is taken is refused by the name of its flag', async () => {
  const { port } = locked
  for (const flag of short(['--health', '--dashboard'], ['--health'])) {
    const { code, stderr } = await typed(['serve', '127.0.0.1:0', flag, `127.0.0.1:${port}`])
    assert.equal(code, 3)
    assert.match(stderr, new RegExp(`^yodel: Cannot listen on \\S+ for ${flag}: .*EADDRINUSE`))
  }
})
