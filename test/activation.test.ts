/** Sockets that another process has opened: systemd's LISTEN_FDS, and --fd. */
import assert from 'node:assert/strict'
import { mkdtempSync, renameSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { dial, echo } from './client.ts'
import { full, onlyFull } from './full.ts'
import { yodel, yodelPath } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()

const fdOf = (server: Server) => (server as unknown as { _handle: { fd: number } })._handle.fd

/** A socket that listens, as the program that starts others has it. */
async function listening(where: object): Promise<Server> {
  const server = createServer().listen(where)
  await once(server, 'listening')
  return server
}

test('LISTEN_FDS: tcp and unix are served, and known by their names', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'yodel-')), 'echo')
  const [tcp, unix] = [await listening({ port: 0, host: '127.0.0.1' }), await listening({ path })]
  const { port } = tcp.address() as { port: number }
  // A shell knows the process id that the program will have; systemd does too.
  const start = `export LISTEN_FDS=2 LISTEN_PID=$$; exec ${process.execPath} ${yodelPath} serve`
  const child = spawn('/bin/sh', ['-c', start], {
    stdio: ['ignore', 'pipe', 'ignore', fdOf(tcp), fdOf(unix)],
  })
  // Only the program is to accept. Closing would remove the path, so it gets another name before.
  const moved = `${path}.moved`
  renameSync(path, moved)
  for (const server of [tcp, unix]) server.close()
  let said = ''
  for await (const chunk of child.stdout!) {
    said += String(chunk)
    if (said.split('\n').length > 2) break
  }
  const lines = [`tcp://127.0.0.1:${port}`, `unix:${path}`].map(url => `yodel: listening on ${url}`)
  assert.deepEqual(said.trim().split('\n'), lines)
  for (const where of [{ port, host: '127.0.0.1' }, { path: moved }]) {
    const socket = await dial(where)
    assert.equal(await echo(socket, 'hello'), 'hello')
    socket.destroy()
  }
  child.kill()
  await once(child, 'exit')
})

test(
  'a unix socket is announced as one, whatever is spoken there',
  { skip: onlyFull },
  async () => {
    const rows: [name: string, url: (path: string) => string][] = [
      ['tcp', path => `unix:${path}`],
      ['https', path => `https+unix:${path}`],
    ]
    for (const [name, url] of rows) {
      const path = join(mkdtempSync(join(tmpdir(), 'yodel-')), 'echo')
      const unix = await listening({ path })
      const start = `exec ${process.execPath} ${yodelPath} serve --fd 3=${name}`
      const stdio = ['ignore', 'pipe', 'pipe', fdOf(unix)] as const
      const child = spawn('/bin/sh', ['-c', start], { stdio: [...stdio] })
      const [said, warned] = [text(child.stdout!), text(child.stderr!)]
      await once(child.stdout!, 'data')
      child.kill()
      assert.equal((await said).split('\n')[0], `yodel: listening on ${url(path)}`)
      assert.doesNotMatch(await warned, /other machines|yodel connect/)
      unix.close()
    }
  },
)

test('what cannot be spoken on a socket is refused', { skip: onlyFull }, async () => {
  const tcp = await listening({ port: 0, host: '127.0.0.1' })
  const start = `exec ${process.execPath} ${yodelPath} serve --fd 3=unix`
  const child = spawn('/bin/sh', ['-c', start], { stdio: ['ignore', 'ignore', 'pipe', fdOf(tcp)] })
  const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
  assert.match(said, /Descriptor 3 is tcp, and unix is not possible there\./)
  assert.equal(code, 2)
  tcp.close()
})

test('a descriptor that cannot be served is refused in one line', async () => {
  const rows: [string, RegExp][] = [
    ['99', /Descriptor 99 is not open/],
    ['0', /Descriptor 0 is .*, not a socket/],
    // What a program's output goes to is half of a pair of sockets here.
    ['1', /Descriptor 1 is a connection, not a socket that listens\. .* Accept=no\./],
    ['x', /'x' is not a descriptor\. Write for example 3 or 3=tls\./],
    ['3=ftp', /'3=ftp' is not a descriptor/],
  ]
  for (const [text, line] of rows) {
    // The program that is typed into has a pair of sockets for its stdin, too.
    if (text === '0' && !full) continue
    const args = ['serve', '--fd', text]
    const { code, stderr } = text === '0' ? await yodel(args).finished : await typed(args)
    assert.equal(code, 2)
    assert.match(stderr, line)
  }
})
