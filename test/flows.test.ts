/**
 * The io_uring engine moves pages where much flows; neither the change to that nor the change back
 * can be seen by a client.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import type { Socket } from 'node:net'
import { after, describe, test } from 'node:test'
import { onlyFull, short } from './full.ts'
import { serve } from 'yodel'
import { dial, echo, until } from './client.ts'
import { missing, portOf, Program, root, yodelPath, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'

const skip = refusal('uring')
const python = missing('python3')
/** A prime length: no buffer and no page fits it. */
const block = randomBytes(1_000_003)
const plenty = short(32, 8) * block.length

/** The descriptors that a process has open. */
function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:.*/, '')
    } catch {
      return []
    }
  })
}

const pipesOf = ({ child }: Program) => descriptors(child.pid!).filter(d => d === 'pipe').length

/** The block over and over again, and what came back compared with it. */
class Stream {
  sent = 0
  received = 0
  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#verify(chunk))
  }

  #verify(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const from = this.received % block.length
      const part = Math.min(chunk.length - at, block.length - from)
      const same = chunk.compare(block, from, from + part, at, at + part) === 0
      if (!same) this.socket.destroy(new Error(`wrong within ${part} bytes at ${this.received}`))
      this.received += part
      at += part
    }
  }

  /** As fast as the system accepts it, but at most so much at once. */
  async send(bytes: number, atOnce = block.length): Promise<void> {
    for (const end = this.sent + bytes; this.sent < end;) {
      const from = this.sent % block.length
      const piece = block.subarray(from, from + Math.min(atOnce, end - this.sent))
      this.sent += piece.length
      if (!this.socket.write(piece)) await once(this.socket, 'drain')
    }
  }

  async caughtUp(): Promise<void> {
    while (this.received < this.sent) await once(this.socket, 'data')
  }

  /** There and back. */
  async flow(bytes: number): Promise<void> {
    await this.send(bytes)
    await this.caughtUp()
  }
}

/** Tests share one server, unless they start their own: to start one costs more than they do. */
let shared: ReturnType<typeof open> | undefined
after(async () => (await shared)?.program[Symbol.asyncDispose]())
const start = () => (shared ??= open())

async function open(...args: string[]) {
  const { program, url } = await yodelServe('--engine', 'uring', ...args)
  const where = url.startsWith('unix:') ? { path: url.slice(5) } : { port: portOf(url) }
  const open = () => descriptors(program.child.pid!).toSorted().join()
  const before = open()
  return {
    program,
    port: portOf(url),
    dial: () => dial(where),
    /** Nothing is left of the clients that it had. */
    asBefore: () => until(() => open() === before),
  }
}

describe('flows', { skip }, () => {
  for (const args of [[], [`unix:/tmp/yodel-flows-${process.pid}.sock`]])
    test(
      `over pipes while it is much: ${args[0] ?? 'tcp'}`,
      { skip: args[0] && onlyFull },
      async () => {
        const { program, dial, asBefore } = await (args.length > 0 ? open(...args) : start())
        await using _ = args.length > 0 ? program : undefined
        const stream = new Stream(await dial())
        const before = pipesOf(program)
        for (let round = 1; round <= 2; round++) {
          let pipes = 0
          const look = () => (pipes ||= pipesOf(program) - before)
          stream.socket.on('data', look)
          await stream.flow(plenty)
          stream.socket.off('data', look)
          assert.notEqual(pipes, 0, 'no pipe was ever open')
          for (let n = 0; n < 20; n++) await stream.flow(1 + n)
          await until(() => pipesOf(program) === before)
        }
        stream.socket.end()
        await asBefore()
      },
    )

  test('a client that stops reading is held back, gets all of it later, and then FIN', async () => {
    const { dial, asBefore } = await start()
    const [socket, other] = [await dial(), await dial()]
    const stream = new Stream(socket)
    await stream.flow(plenty)
    socket.pause()
    const sending = stream.send(plenty).then(() => socket.end())
    for (let n = 0; n < 50; n++) assert.equal(await echo(other, `typed ${n}`), `typed ${n}`)
    const ended = once(socket, 'end')
    socket.resume()
    await Promise.all([sending, ended])
    assert.equal(stream.received, 2 * plenty)
    other.end()
    await asBefore()
  })
})

describe('ends of flows', { skip }, () => {
  test('a reset while much is held leaves nothing behind', async () => {
    const { dial, asBefore } = await start()
    for (let n = 0; n < short(5, 2); n++) {
      const socket = await dial()
      const stream = new Stream(socket)
      await stream.flow(plenty)
      socket.pause()
      // More than all buffers on the way hold, so it stays held.
      stream.send(64 * block.length).catch(() => {})
      socket.on('error', () => {})
      await until(() => socket.writableNeedDrain)
      socket.resetAndDestroy()
    }
    await asBefore()
  })
})

describe('flows that are received from again', { skip }, () => {
  const urgent = 'an urgent byte is skipped, what comes after it comes back'
  test(urgent, { skip: python || onlyFull }, async () => {
    const { program, port, asBefore } = await start()
    const before = pipesOf(program)
    await using peer = new Program(
      'python3',
      [`${root}test/peers/urgent.py`, '127.0.0.1', `${port}`],
      'ignore',
    )
    await until(() => pipesOf(program) > before)
    const { code, stderr } = await peer.finished
    assert.equal(code, 0, stderr)
    await asBefore()
  })

  test('where splice(2) is forbidden, bytes are copied', { skip: python || onlyFull }, async () => {
    const command = ['splice=EACCES', process.execPath, yodelPath, 'serve', '--engine=uring', ':0']
    await using program = new Program('python3', [`${root}test/peers/forbid.py`, ...command], '')
    const [, port] = await program.says(/listening on \S+:(\d+)/)
    const stream = new Stream(await dial({ port: Number(port) }))
    await stream.flow(plenty)
    stream.socket.end()
  })

  test('one that falls silent gives its place back', { skip: onlyFull }, async () => {
    const { program, dial, asBefore } = await start()
    const sockets = () => descriptors(program.child.pid!).filter(d => d === 'socket').length
    const stream = new Stream(await dial())
    const before = sockets()
    let most = before
    const look = () => (most = Math.max(most, sockets()))
    stream.socket.on('data', look)
    await stream.flow(plenty)
    stream.socket.off('data', look)
    assert.equal(most, before + 1)
    await until(() => sockets() === before)
    await stream.flow(10)
    stream.socket.end()
    await asBefore()
  })

  test('on leaving, all that was received comes back, and then FIN', async () => {
    const server = await serve('tcp://127.0.0.1:0', {
      engine: 'uring',
      drainMs: 20_000,
      ledger: true,
    })
    const socket = await dial({ port: portOf(server.url) })
    const stream = new Stream(socket)
    // It waits for room that never comes.
    void stream.send(Infinity)
    await until(() => stream.received > plenty)
    const ended = once(socket, 'end')
    const closed = server.close()
    await ended
    socket.destroy()
    await closed
    const { bytesIn, bytesOut } = server.snapshot()
    assert.deepEqual([bytesIn, bytesOut], [stream.received, stream.received])
    assert.equal(server.ledgers[0]!.read(0)!.bytesIn, bytesIn)
  })
})
