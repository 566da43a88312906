/** Which requests the dashboard refuses, and that a refused request changes nothing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { WebSocket } from 'ws'
import { dial, readAll } from './client.ts'
import { startBoard, type Board, type Question } from './dashboard.ts'

const token = 'correct-horse-battery'
const folder = mkdtempSync(join(tmpdir(), 'yodel-page-'))
mkdirSync(join(folder, 'page/assets'), { recursive: true })
writeFileSync(join(folder, 'secret.js'), 'secret')
writeFileSync(join(folder, 'page/index.html'), '<!doctype html>page')
writeFileSync(join(folder, 'page/assets/app-1.js'), 'app()')
writeFileSync(join(folder, 'page/notes.txt'), 'secret')

let open: Board
let locked: Board
let everywhere: Board
before(async () => {
  const pageFolder = join(folder, 'page')
  open = await startBoard({ faults: [], serve: { faults: [] }, pageFolder, requestTimeoutMs: 500 })
  locked = await startBoard({ token, pageFolder })
  everywhere = await startBoard({ server: locked.server, token, host: '0.0.0.0' })
})
after(async () => {
  // The last two use one server; the first of them starts it.
  for (const board of [open, everywhere, locked]) await board[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** Every change that can be asked for. */
const changes: [method: string, path: string, body?: object][] = [
  ['PUT', '/api/faults', { faults: ['delay=1s'] }],
  ['DELETE', '/api/faults'],
  ['DELETE', '/api/connections?all=true'],
  ['DELETE', '/api/connections/1'],
  ['POST', '/api/drain'],
  ['POST', '/api/benches', { address: 'tcp://127.0.0.1:9' }],
  ['DELETE', '/api/benches/1'],
]

async function assertUnchanged(board: Board) {
  assert.equal(board.drained, false)
  const { json } = await board.ask('GET', '/api/faults')
  assert.deepEqual(json[0].faults, [])
  assert.deepEqual((await board.ask('GET', '/api/benches')).json, [])
}

/** With which status a WebSocket is refused; 101 if it is not. */
function upgrade(board: Board, path: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${board.port}${path}`, { headers })
  return new Promise(resolve => {
    socket.on('open', () => {
      socket.close()
      resolve(101)
    })
    socket.on('unexpected-response', (_, response) => {
      resolve(response.statusCode!)
      socket.terminate()
    })
    socket.on('error', () => {})
  })
}

suite('a name that a name server made point here (DNS rebinding)', () => {
  test('is refused, whatever is asked for', async () => {
    for (const host of ['evil.example', `evil.example:${open.port}`, '127.0.0.1.evil.example']) {
      for (const path of ['/', '/api/server', '/metrics', '/assets/app-1.js', '/api/events']) {
        const { status } = await open.ask('GET', path, { headers: { Host: host } })
        assert.equal(status, 421, `${host} ${path}`)
      }
      assert.equal(await upgrade(open, '/api/console', { Host: host }), 421)
    }
    assert.equal((await open.ask('GET', '/', { headers: { Host: '10.0.0.1' } })).status, 421)
  })

  test('while names of this machine are answered', async () => {
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1', `[::1]:${open.port}`])
      assert.equal((await open.ask('GET', '/api/server', { headers: { Host: host } })).status, 200)
    const question: Question = {
      headers: { Host: '192.0.2.7:80', Authorization: `Bearer ${token}` },
    }
    assert.equal((await everywhere.ask('GET', '/api/server', question)).status, 200)
    question.headers!.Host = 'evil.example'
    assert.equal((await everywhere.ask('GET', '/api/server', question)).status, 421)
  })
})

suite('a page of another site', () => {
  test('changes nothing, and opens no console', async () => {
    const own = `127.0.0.1:${open.port}`
    for (const Origin of ['http://evil.example', 'null', `https://${own}`, 'http://127.0.0.1:1']) {
      for (const [method, path, body] of changes) {
        const { status } = await open.ask(method, path, {
          headers: { Origin, Host: own },
          ...(body && { body }),
        })
        assert.equal(status, 403, `${Origin} ${method} ${path}`)
      }
      assert.equal(await upgrade(open, '/api/console', { Origin }), 403)
    }
    const site = { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' }
    assert.equal((await open.ask('GET', '/api/server', { headers: site })).status, 403)
    await assertUnchanged(open)
  })

  test('with a form changes nothing', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
      for (const [method, path, body] of changes) {
        const headers = { 'Content-Type': type, 'X-Yodel': '0' }
        const { status, json } = await open.ask(method, path, {
          headers,
          body: JSON.stringify(body ?? {}),
        })
        assert.equal(status, 403)
        assert.match(json.error, /X-Yodel: 1 is missing/)
      }
    }
    await assertUnchanged(open)
  })

  test('reads nothing: there is no CORS, and no frame', async () => {
    for (const method of ['GET', 'OPTIONS']) {
      const { headers } = await open.ask(method, '/api/server')
      const names = Object.keys(headers).filter(name => name.startsWith('access-control'))
      assert.deepEqual(names, [])
      const policy = String(headers['content-security-policy'])
      assert.match(policy, /default-src 'none'; script-src 'self';/)
      assert.match(policy, /frame-ancestors 'none'/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
    }
  })

  test('while the own page may', async () => {
    const headers = { Host: `localhost:${open.port}`, Origin: `http://localhost:${open.port}` }
    const question = { headers, body: { faults: [] } }
    assert.equal((await open.ask('PUT', '/api/faults', question)).status, 200)
    assert.equal(await upgrade(open, '/api/console', headers), 101)
    assert.equal(await upgrade(open, '/api/console?listener=7', headers), 404)
    assert.equal(await upgrade(open, '/api/other', headers), 404)
  })
})

suite('without the token', () => {
  test('nothing is shown and nothing happens', async () => {
    const paths = ['/', '/api/server', '/api/events', '/assets/app-1.js', '/metrics', '/nothing']
    for (const path of paths) assert.equal((await locked.ask('GET', path)).status, 401, path)
    for (const [method, path, body] of changes)
      assert.equal((await locked.ask(method, path, body && { body })).status, 401)
    assert.equal(await upgrade(locked, '/api/console', {}), 401)
    assert.equal(locked.drained, false)
  })

  test('the link lets a browser in by a cookie that no script and no other site sees', async () => {
    const { status, headers, text } = await locked.ask('GET', `/?token=${token}`)
    assert.deepEqual([status, headers.location, text], [303, '/', ''])
    const [cookie] = headers['set-cookie']!
    assert.match(cookie!, /; Path=\/; HttpOnly; SameSite=Strict$/)
    const question = { headers: { Cookie: `other=1; ${cookie!.split(';')[0]}` } }
    assert.equal((await locked.ask('GET', '/', question)).text, '<!doctype html>page')
    assert.equal(locked.dashboard.link, `${locked.dashboard.url}?token=${token}`)
  })

  test('guessing locks an address out for a while, and no token does not', async () => {
    const wrong = (n: number) => ({ headers: { Authorization: `Bearer ${'x'.repeat(15)}${n}` } })
    const right = { headers: { Authorization: `Bearer ${token}` } }
    for (let n = 0; n < 30; n++) assert.equal((await locked.ask('GET', '/')).status, 401)
    assert.equal((await locked.ask('GET', '/api/server', right)).status, 200)
    // A page that outlived its server asks again and again.
    for (let n = 0; n < 12; n++) assert.equal((await locked.ask('GET', '/', wrong(0))).status, 401)
    assert.equal((await locked.ask('GET', '/api/server', right)).status, 200)
    for (let n = 1; n < 10; n++) assert.equal((await locked.ask('GET', '/', wrong(n))).status, 401)
    const { status, headers } = await locked.ask('GET', '/api/server', right)
    assert.equal(status, 429)
    assert.ok(Number(headers['retry-after']) > 0)
  })
})

suite('requests that no browser sends', () => {
  test('no path leads out of the page', async () => {
    symlinkSync(join(folder, 'secret.js'), join(folder, 'page/link.txt'))
    const paths = [
      '/../secret.js',
      '/assets/../../secret.js',
      '/..%2fsecret.js',
      '/%2e%2e/secret.js',
      '/assets/..\\..\\secret.js',
      '//secret.js',
      '/notes.txt',
      '/link.txt',
      '/assets/',
      '/assets/app-1.js%00.html',
      'http://evil.example/secret.js',
      '/api/connections/../../secret.js',
      '/constructor',
      '/__proto__',
    ]
    for (const path of paths) {
      const socket = await dial({ port: open.port })
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      const answer = (await readAll(socket)).toString()
      socket.destroy()
      assert.match(answer, /^HTTP\/1\.1 40[04] /, path)
      assert.doesNotMatch(answer, /\r\n\r\nsecret/)
    }
    assert.equal((await open.ask('GET', '/')).text, '<!doctype html>page')
    const script = await open.ask('GET', '/assets/app-1.js')
    assert.equal(script.text, 'app()')
    assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8')
  })

  test('a client whose WebSocket is refused is cut off, even if it does not hang up', async () => {
    const socket = await dial({ port: open.port })
    const start = 'GET /api/other HTTP/1.1\r\nHost: localhost\r\n'
    socket.write(`${start}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    assert.match((await readAll(socket)).toString(), /^HTTP\/1\.1 404 /)
    const failed = once(socket, 'error')
    // The system answers with RST once the server has closed.
    const writing = setInterval(() => socket.write('x'), 10)
    await failed
    clearInterval(writing)
    socket.destroy()
  })
})

suite('requests that are too much, or make no sense', () => {
  test('a body that is too large is refused, whether it says so or not', async () => {
    const body = JSON.stringify({ faults: ['x'.repeat(100_000)] })
    const json = { 'Content-Type': 'application/json' }
    const announced = await open.ask('PUT', '/api/faults', { headers: json, body })
    assert.equal(announced.status, 413)
    const headers = { ...json, 'Transfer-Encoding': 'chunked' }
    assert.equal((await open.ask('PUT', '/api/faults', { headers, body })).status, 413)
    const long = { headers: { 'X-Long': 'x'.repeat(20_000) } }
    assert.equal((await open.ask('GET', '/', long)).status, 431)
  })

  test('a slow request is refused; others are answered meanwhile', async () => {
    const starts = [
      'GET / HTTP/1.1\r\nHost: localhost\r\n',
      'PUT /api/faults HTTP/1.1\r\nHost: localhost\r\nX-Yodel: 1\r\n' +
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ]
    const sockets = await Promise.all(starts.map(() => dial({ port: open.port })))
    for (const [index, socket] of sockets.entries()) socket.write(starts[index]!)
    assert.equal((await open.ask('GET', '/api/server')).status, 200)
    for (const socket of sockets) {
      assert.match((await readAll(socket)).toString(), /^HTTP\/1\.1 408 /)
      socket.destroy()
    }
  })

  test('what makes no sense is answered with a sentence', async () => {
    const rows: [method: string, path: string, question: Question, status: number, says: RegExp][] =
      [
        ['PUT', '/api/faults', { body: {} }, 400, /'faults' must be a list of texts/],
        ['PUT', '/api/faults', { body: { faults: ['x'] } }, 400, /'x' is not a fault/],
        ['PUT', '/api/faults', { body: { faults: [], a: 1 } }, 400, /'a' is not known/],
        ['PUT', '/api/faults', { body: { faults: [], listener: 9 } }, 404, /no listener 9/],
        ['PUT', '/api/faults', { body: '{}' }, 415, /not JSON/],
        ['PUT', '/api/faults', { body: { faults: ['drop=1%'] } }, 400, /drop is for messages/],
        ['POST', '/api/server', {}, 405, /takes GET/],
        ['GET', '/api/connections?limit=501', {}, 400, /500 at most/],
        ['GET', '/api/connections?sort=<script>', {}, 400, /'sort' must be one of peer/],
        ['GET', '/api/connections?offset=-1', {}, 400, /whole number/],
        ['DELETE', '/api/connections', {}, 400, /are not named/],
        ['DELETE', '/api/connections/%3Cscript%3E', {}, 404, /no connection/],
        ['GET', '/api/benches/1', {}, 404, /no bench 1/],
        ['GET', '/api/benches/compare?a=1', {}, 400, /'b' must be a short text/],
      ]
    for (const [method, path, question, status, says] of rows) {
      const answer = await open.ask(method, path, question)
      assert.equal(answer.status, status, path)
      assert.match(answer.json.error, says)
      // Whatever it quotes is no page.
      assert.equal(answer.headers['content-type'], 'application/json')
    }
  })

  test('half a request and garbage do no harm', async () => {
    for (const text of ['GARBAGE\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'GET']) {
      const socket = await dial({ port: open.port })
      socket.end(text)
      socket.resume()
      await once(socket, 'close').catch(() => {})
    }
    assert.equal((await open.ask('GET', '/healthz')).text, 'ok\n')
  })
})
