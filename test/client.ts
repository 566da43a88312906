/** A plain client for tests, which shares no code with yodel. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net'
import * as tls from 'node:tls'

/** Connects with half-open allowed. */
export async function dial(where: NetConnectOpts): Promise<Socket> {
  const socket = connect({ ...where, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** One at which nothing listens at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether something listens at it. */
export const isListening = (port: number): Promise<boolean> =>
  dial({ port, host: '127.0.0.1' }).then(
    socket => (socket.destroy(), true),
    () => false,
  )

/** Connects in batches that fit into a backlog. */
export async function dialMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Math.min(500, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => dial({ port })))))
  }
  return sockets
}

/** The same over TLS, with any server; in `options` what else a test wants to set. */
export async function dialTls(
  where: NetConnectOpts,
  options: tls.ConnectionOptions = {},
): Promise<tls.TLSSocket> {
  const lenient = { allowHalfOpen: true, rejectUnauthorized: false }
  const socket = tls.connect({ ...(where as tls.ConnectionOptions), ...lenient, ...options })
  await once(socket, 'secureConnect')
  return socket
}

/** Everything until the other side's FIN, after which we may go on; rejects if it breaks. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false }))
    chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Exactly this many bytes; what is beyond them stays unread. */
export async function read(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let missing = bytes; missing > 0;) {
    const chunk = socket.read() as Buffer | null
    if (!chunk) {
      if (socket.readableEnded || socket.destroyed) throw new Error(`${missing} bytes are missing`)
      await change(socket)
      continue
    }
    chunks.push(chunk.subarray(0, missing))
    if (chunk.length > missing) socket.unshift(chunk.subarray(missing))
    missing -= Math.min(missing, chunk.length)
  }
  return Buffer.concat(chunks)
}

/** Resolves when there may be something to read, or when there never will be. */
function change(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close']
    const settle = (error?: Error) => {
      for (const event of events) socket.off(event, done)
      socket.off('error', settle)
      if (error) reject(error)
      else resolve()
    }
    const done = () => settle()
    for (const event of events) socket.on(event, done)
    socket.on('error', settle)
  })
}

/** Sends, and waits until as much has come back. */
export async function echo(socket: Socket, message: string): Promise<string> {
  socket.write(message)
  return (await read(socket, Buffer.byteLength(message))).toString()
}

/** Hangs up on FIN. The name of the error with which it breaks, or 'closed' if it does not. */
export function ending(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('close', () => resolve('closed'))
    socket.once('end', () => socket.end())
    socket.resume()
  })
}

/**
 * Waits until a condition holds. It checks every few milliseconds, and less often if that takes
 * long, since checking costs time, too. The runner's time limit bounds it.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const startMs = performance.now()
  while (!(await holds())) {
    const waitMs = Math.min(50, Math.max(5, (performance.now() - startMs) / 8))
    await new Promise(resolve => setTimeout(resolve, waitMs))
  }
}

/** Each sends for ever, and never reads; resolves at the point where nothing more can be sent. */
export async function sendUntilStalled(sockets: Socket[], chunk: Buffer = Buffer.alloc(65_536)) {
  for (const socket of sockets) {
    const send = () => {
      while (socket.writable && socket.write(chunk));
    }
    socket
      .pause()
      .on('error', () => {})
      .on('drain', send)
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
 * A figure of a server in this process, once it stays the same although every thread could work:
 * all other threads sleep each time it is looked at. (A busy machine may leave a thread waiting for
 * long; where threads do not show whether they wait, half a second is all that can be done.)
 */
export async function settled(figure: () => number): Promise<number> {
  let last = figure()
  let unchanged = 0
  for (let same = 0; same < 10 && unchanged < unchangedMax; same++, unchanged++) {
    await new Promise(resolve => setTimeout(resolve, 50))
    const changed = figure() !== last
    if (changed) unchanged = 0
    if (changed || othersRun()) same = 0
    last = figure()
  }
  return last
}

/** A thread that a test before has left may run for ever: 5 s without a change are enough. */
const unchangedMax = 100

/** Whether another thread of this process runs, or would if it could (proc_pid_stat(5)). */
function othersRun(): boolean {
  if (process.platform !== 'linux') return false
  const threads = readdirSync('/proc/self/task').filter(id => id !== String(process.pid))
  return threads.some(id => stateOf(id) === 'R')
}

function stateOf(thread: string): string | undefined {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8'))?.[1]
  } catch {
    // It has ended meanwhile.
    return undefined
  }
}

/**
 * Sends all the time, as fast as it can or a little every millisecond; verifies what comes back;
 * hangs up on FIN. How many bytes came back.
 */
export async function sendUntilFin(socket: Socket, littleBytes = 0): Promise<number> {
  const chunk = pattern(littleBytes || 65_536, 5)
  const send = () => {
    while (!socket.writableEnded && socket.write(chunk));
  }
  const sendLittle = () => socket.writableEnded || socket.write(chunk)
  const timer = littleBytes > 0 ? setInterval(sendLittle, 1) : undefined
  if (!timer) socket.on('drain', send).emit('drain')
  let bytes = 0
  for await (const data of socket as AsyncIterable<Buffer>) {
    for (let at = 0; at < data.length;) {
      const inside = (bytes + at) % chunk.length
      const length = Math.min(data.length - at, chunk.length - inside)
      assert.equal(chunk.compare(data, at, at + length, inside, inside + length), 0)
      at += length
    }
    bytes += data.length
  }
  clearInterval(timer)
  socket.destroy()
  return bytes
}

/** Bytes that differ by their offset, so that each piece shows where it belongs. */
export function pattern(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at++) bytes[at] = (at * 7 + (at >> 8) * 13 + seed * 101) & 0xff
  return bytes
}
