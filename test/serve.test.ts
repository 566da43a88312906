/** The real program under real load: many clients, few descriptors, signals, greedy clients. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { test } from 'node:test'
import { dial, echo, read, readAll, until } from './client.ts'
import { Program, portOf, yodelPath, yodelServe } from './program.ts'

const linux = process.platform === 'linux' ? false : 'reads /proc, which only Linux has'

/** Processor time that a process has used so far, in seconds (proc_pid_stat(5), fields 14, 15). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Memory that a process has in RAM, in bytes. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024
}

/** Connects in batches that fit into a backlog. */
async function dialMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Math.min(500, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => dial({ port })))))
  }
  return sockets
}

test('10,000 clients at once, each of them echoed', { skip: linux }, async t => {
  const { program, url } = await yodelServe()
  await using _ = program
  const limit = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))
  const count = Math.min(10_000, Number(limit![1]) - 500)
  if (count < 10_000) t.diagnostic(`only ${count} clients: the descriptor limit of this process`)
  const sockets = await dialMany(portOf(url), count)
  const answers = await Promise.all(sockets.map((socket, n) => echo(socket, `client ${n}`)))
  for (const [n, answer] of answers.entries()) assert.equal(answer, `client ${n}`)
  for (const socket of sockets) socket.destroy()
  program.kill()
  const { code, stderr } = await program.finished
  assert.equal(code, 0)
  assert.match(stderr, new RegExp(`served ${count.toLocaleString('en-US')} clients`))
})

test('256 descriptors, 400 clients: all are served in the end', { skip: linux }, async () => {
  const command = `ulimit -n 256; exec "${process.execPath}" "${yodelPath}" serve :0`
  await using program = new Program('sh', ['-c', command], 'ignore')
  const [, url] = await program.says(/listening on (\S+)/)
  const sockets = await dialMany(portOf(url!), 400)
  let served = 0
  const answers = sockets.map(async (socket, n) => {
    socket.write(`client ${String(n).padStart(3, '0')}`)
    assert.equal((await read(socket, 10)).toString(), `client ${String(n).padStart(3, '0')}`)
    served++
  })
  await until(() => served > 100)
  // The others wait, and waiting costs no processor time.
  await new Promise(resolve => setTimeout(resolve, 200))
  const inTheMiddle = served
  const before = cpuSeconds(program.child.pid!)
  await new Promise(resolve => setTimeout(resolve, 1000))
  assert.ok(cpuSeconds(program.child.pid!) - before < 0.1)
  assert.equal(served, inTheMiddle)
  assert.ok(served < 256)
  for (const [n, answer] of answers.entries()) {
    await answer
    sockets[n]!.destroy()
  }
  program.kill()
  const { code, stderr } = await program.finished
  assert.equal(code, 0)
  assert.match(stderr, /served 400 clients/)
})

test('5,000 connects and closes leave nothing behind', { skip: linux }, async () => {
  const { program, url } = await yodelServe()
  await using _ = program
  const descriptors = () =>
    readFileSync(`/proc/${program.child.pid}/status`, 'utf8').match(/FDSize:\s+(\d+)/)![1]
  const port = portOf(url)
  let open = 0
  let done = 0
  await new Promise<void>(resolve => {
    const next = () => {
      if (done + open >= 5000) return
      open++
      const socket = connect({ port }, () => socket.end(done % 2 === 0 ? 'x' : ''))
      socket.on('data', () => {}).on('error', () => {})
      socket.on('close', () => {
        open--
        if (++done === 5000) resolve()
        else next()
      })
    }
    for (let n = 0; n < 400; n++) next()
  })
  assert.ok(Number(descriptors()) <= 1024)
  program.kill()
  const { stderr } = await program.finished
  assert.match(stderr, /served 5,000 clients/)
})

test('SIGTERM: what was received comes back, then FIN; exit 0', async () => {
  const { program, url } = await yodelServe()
  await using _ = program
  const sockets = await dialMany(portOf(url), 20)
  for (const socket of sockets) assert.equal(await echo(socket, 'before'), 'before')
  for (const socket of sockets) socket.write('within')
  program.kill()
  const replies = await Promise.all(
    sockets.map(async socket => {
      const reply = await readAll(socket)
      socket.end()
      return reply.toString()
    }),
  )
  assert.deepEqual(new Set(replies), new Set(['within']))
  assert.equal((await program.finished).code, 0)
})

test('after a pause of the whole server, who sent meanwhile is not idle', async () => {
  const { program, url } = await yodelServe('--idle-timeout', '400ms')
  await using _ = program
  const socket = await dial({ port: portOf(url) })
  assert.equal(await echo(socket, 'before'), 'before')
  program.kill('SIGSTOP')
  socket.write('meanwhile')
  await new Promise(resolve => setTimeout(resolve, 1000))
  program.kill('SIGCONT')
  assert.equal((await read(socket, 9)).toString(), 'meanwhile')
  socket.destroy()
})

test('the second signal leaves at once', async () => {
  const { program, url } = await yodelServe('--drain', '1h')
  await using _ = program
  const socket = await dial({ port: portOf(url) })
  socket.on('error', () => {})
  assert.equal(await echo(socket, 'x'), 'x')
  program.kill('SIGINT')
  await program.says(/stopping; 1 client may finish/)
  program.kill('SIGINT')
  assert.equal((await program.finished).code, 130)
  socket.destroy()
})

/** Clients that send for ever and never read, up to the point where nothing more can be sent. */
async function sendUntilStalled(port: number, count: number): Promise<Socket[]> {
  const sockets = await dialMany(port, count)
  const chunk = Buffer.alloc(65_536)
  for (const socket of sockets) {
    const send = () => {
      while (socket.writable && socket.write(chunk));
    }
    socket.on('error', () => {}).on('drain', send)
    socket.pause()
    send()
  }
  const sent = () => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
  let last = -1
  await until(async () => {
    await new Promise(resolve => setTimeout(resolve, 200))
    const stalled = last === sent()
    last = sent()
    return stalled
  })
  return sockets
}

/**
 * What one client adds drowns in what the garbage collector of Node happens to leave, some MB; so
 * many are measured, and the bound is for each of them.
 */
test('1,000 that send for ever and never read: memory is bounded', { skip: linux }, async t => {
  const { program, url } = await yodelServe()
  await using _ = program
  const port = portOf(url)
  const [polite] = await dialMany(port, 1)
  for (const socket of await sendUntilStalled(port, 1)) socket.destroy()
  const before = residentBytes(program.child.pid!)
  const greedy = await sendUntilStalled(port, 1000)
  for (let n = 0; n < 50; n++) assert.equal(await echo(polite!, `message ${n}`), `message ${n}`)
  const grownEach = (residentBytes(program.child.pid!) - before) / 1000
  t.diagnostic(`${Math.round(grownEach / 1024)} KiB for each`)
  assert.ok(grownEach < 320 * 1024)
  for (const socket of [polite!, ...greedy]) socket.destroy()
})
