/** The real program at its limits: many clients, few descriptors, clients that never read. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dial, echo, read, until } from './client.ts'
import { full, short } from './full.ts'
import { portOf, Program, yodelPath, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'

const [many, comers] = short([10_000, 5_000], [1_000, 600])
const formatted = (count: number) => count.toLocaleString('en-US')

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

/** What a connection may hold in the process, as docs/serve.md has it, and some slack. */
const heldMaxBytes = { node: 320 * 1024, uring: 640 * 1024 }
/** What the garbage collector happens to leave is shared by fewer. */
const slack = short(1, 2)

for (const engine of ['node', 'uring'] as const) {
  const skip =
    process.platform === 'linux' ? await refusal(engine) : 'reads /proc, which only Linux has'

  test(`${engine}: ${formatted(many)} clients at once, each of them echoed`, { skip }, async t => {
    const { program, url } = await yodelServe('--engine', engine)
    await using _ = program
    const limit = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))
    const count = Math.min(many, Number(limit![1]) - 500)
    if (count < many) t.diagnostic(`only ${count} clients: the descriptor limit of this process`)
    const sockets = await dialMany(portOf(url), count)
    const answers = await Promise.all(sockets.map((socket, n) => echo(socket, `client ${n}`)))
    for (const [n, answer] of answers.entries()) assert.equal(answer, `client ${n}`)
    for (const socket of sockets) socket.destroy()
    program.kill()
    const { code, stderr } = await program.finished
    assert.equal(code, 0)
    assert.match(stderr, new RegExp(`served ${count.toLocaleString('en-US')} clients`))
  })

  test(`${engine}: 256 descriptors, 400 clients: all are served in the end`, { skip }, async () => {
    const command = `ulimit -n 256; exec "${process.execPath}" "${yodelPath}" serve :0`
    await using program = new Program('sh', ['-c', `${command} --engine ${engine}`], 'ignore')
    const [, url] = await program.says(/listening on (\S+)/)
    const sockets = await dialMany(portOf(url!), 400)
    let served = 0
    const answers = sockets.map(async (socket, n) => {
      const hello = `client ${String(n).padStart(3, '0')}`
      socket.on('error', () => {}).write(hello)
      assert.equal((await read(socket, 10)).toString(), hello)
      served++
    })
    for (const answer of answers) answer.catch(() => {})
    await until(() => served > 100)
    // The others wait, and waiting costs no processor time.
    await new Promise(resolve => setTimeout(resolve, 200))
    const inTheMiddle = served
    const before = cpuSeconds(program.child.pid!)
    await new Promise(resolve => setTimeout(resolve, 500))
    assert.ok(cpuSeconds(program.child.pid!) - before < 0.1)
    assert.equal(served, inTheMiddle)
    assert.ok(served <= 256)
    // Each who was served makes room, in whatever order: a SYN that was lost comes again, and late.
    await Promise.all(answers.map((answer, n) => answer.then(() => sockets[n]!.destroy())))
    program.kill()
    const { code, stderr } = await program.finished
    assert.equal(code, 0)
    assert.match(stderr, /served 400 clients/)
  })

  /** Each who leaves makes room for one, not for more: or the limit is reached by and by. */
  test(
    `${engine}: few descriptors, clients leave one by one: nobody is dropped`,
    { skip },
    async () => {
      const command = `ulimit -n 200; exec "${process.execPath}" "${yodelPath}" serve :0`
      await using program = new Program('sh', ['-c', `${command} --engine ${engine}`], 'ignore')
      const [, url] = await program.says(/listening on (\S+)/)
      const sockets = await dialMany(portOf(url!), 300)
      let [served, dropped] = [0, 0]
      for (const socket of sockets) {
        socket.on('error', () => {}).write('x')
        socket.once('data', () => served++).once('end', () => dropped++)
      }
      await until(() => served > 100)
      for (const socket of sockets.slice(0, 60)) {
        const before = served
        socket.removeAllListeners('end').destroy()
        // As many as there is room for are served already; the next comes in for the one who left.
        await Promise.race([until(() => served > before || dropped > 0), sleep(1000)])
      }
      assert.equal(dropped, 0)
      for (const socket of sockets) socket.removeAllListeners('end').destroy()
    },
  )

  test(
    `${engine}: ${formatted(comers)} connects and closes leave nothing behind`,
    { skip },
    async () => {
      const { program, url } = await yodelServe('--engine', engine)
      await using _ = program
      await churn(portOf(url), 1)
      const descriptors = () => readdirSync(`/proc/${program.child.pid}/fd`).length
      const before = descriptors()
      await churn(portOf(url), comers - 1)
      // A busy server is told of the last ones later than we are.
      await until(() => descriptors() <= before)
      const status = readFileSync(`/proc/${program.child.pid}/status`, 'utf8')
      assert.ok(Number(/FDSize:\s+(\d+)/.exec(status)![1]) <= 1024)
      program.kill()
      const { stderr } = await program.finished
      assert.match(stderr, new RegExp(`served ${formatted(comers)} clients`))
      assert.doesNotMatch(stderr, /may finish/)
    },
  )

  /**
   * What one client adds drowns in what the garbage collector of Node happens to leave, some MB; so
   * many are measured, and the bound is for each of them.
   */
  const greedies = full ? 1_000 : { node: 150, uring: 60 }[engine]
  test(
    `${engine}: ${formatted(greedies)} that never read: memory is bounded`,
    { skip },
    async t => {
      const { program, url } = await yodelServe('--engine', engine)
      await using _ = program
      const port = portOf(url)
      const [polite] = await dialMany(port, 1)
      for (const socket of await sendUntilStalled(port, 1)) socket.destroy()
      const before = residentBytes(program.child.pid!)
      const greedy = await sendUntilStalled(port, greedies)
      for (let n = 0; n < 50; n++) assert.equal(await echo(polite!, `message ${n}`), `message ${n}`)
      const grownEach = (residentBytes(program.child.pid!) - before) / greedies
      t.diagnostic(`${engine}: ${Math.round(grownEach / 1024)} KiB for each`)
      assert.ok(grownEach < heldMaxBytes[engine] * slack)
      for (const socket of [polite!, ...greedy]) socket.destroy()
    },
  )
}

/** Opens and closes so many connections, 400 at a time; every other one sends a byte first. */
function churn(port: number, count: number): Promise<void> {
  let open = 0
  let done = 0
  return new Promise(resolve => {
    const next = () => {
      if (done + open >= count) return
      open++
      const socket = connect({ port }, () => socket.end(done % 2 === 0 ? 'x' : ''))
      socket.on('data', () => {}).on('error', () => {})
      socket.on('close', () => {
        open--
        if (++done === count) resolve()
        else next()
      })
    }
    for (let n = 0; n < 400; n++) next()
  })
}
