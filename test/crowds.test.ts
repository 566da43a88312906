/** The real program and many clients: all at once, on few descriptors, one after the other. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dialMany, echo, read, until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { portOf, Program, yodelPath, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'

const [many, comers] = short([10_000, 5_000], [300, 300])
const formatted = (count: number) => count.toLocaleString('en-US')

/** Processor time that a process has used so far, in seconds (proc_pid_stat(5), fields 14, 15). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

for (const engine of ['node', 'uring'] as const) {
  const skip = process.platform === 'linux' ? refusal(engine) : 'reads /proc, which only Linux has'

  const gone = `${formatted(comers)} that come and go leave nothing behind`
  test(
    `${engine}: ${gone}, ${formatted(many)} at once are echoed`,
    { skip: skip || (engine === 'node' && onlyFull) },
    async t => {
      const { program, url } = await yodelServe('--engine', engine)
      await using _ = program
      const pid = program.child.pid!
      await churn(portOf(url), 1)
      const descriptors = () => readdirSync(`/proc/${pid}/fd`).length
      const before = descriptors()
      // Their table may be as large as that of this process was when it started the program.
      const places = tableSize(pid)
      await churn(portOf(url), comers - 1)
      // A busy server is told of the last ones later than we are.
      await until(() => descriptors() <= before)
      assert.ok(tableSize(pid) <= Math.max(1024, places))

      const limit = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))
      const count = Math.min(many, Number(limit![1]) - 500)
      if (count < many) t.diagnostic(`only ${count} clients: the descriptor limit of this process`)
      const sockets = await dialMany(portOf(url), count)
      const answers = await Promise.all(sockets.map((socket, n) => echo(socket, `client ${n}`)))
      for (const [n, answer] of answers.entries()) assert.equal(answer, `client ${n}`)
      for (const socket of sockets) socket.destroy()
      await until(() => descriptors() <= before)
      program.kill()
      const { code, stderr } = await program.finished
      assert.equal(code, 0)
      assert.match(stderr, new RegExp(`served ${formatted(comers + count)} clients`))
      assert.doesNotMatch(stderr, /may finish/)
    },
  )

  const onFew = `${engine}: 256 descriptors, 400 clients: all are served in the end`
  test(onFew, { skip: skip || onlyFull }, async () => {
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
    await new Promise(resolve => setTimeout(resolve, 1000))
    assert.ok(cpuSeconds(program.child.pid!) - before < 0.1)
    assert.equal(served, inTheMiddle)
    assert.ok(served <= 256)
    // When a served client leaves, the next is served, in any order: a lost SYN is sent again, and
    // late.
    await Promise.all(answers.map((answer, n) => answer.then(() => sockets[n]!.destroy())))
    program.kill()
    const { code, stderr } = await program.finished
    assert.equal(code, 0)
    assert.match(stderr, /served 400 clients/)
  })

  /**
   * When a client leaves, one other is served, and not more: otherwise the limit would be exceeded.
   */
  test(
    `${engine}: few descriptors, clients leave one by one: none is dropped`,
    { skip: skip || onlyFull },
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
        // As many as there is room for are served already; the next is served once one has left.
        await Promise.race([until(() => served > before || dropped > 0), sleep(1000)])
      }
      assert.equal(dropped, 0)
      for (const socket of sockets) socket.removeAllListeners('end').destroy()
    },
  )
}

/** Places for descriptors that a process has been given so far; it never gets fewer. */
const tableSize = (pid: number): number =>
  Number(/FDSize:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])

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
