/** The memory that a server needs for each connection. Linux. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import * as tls from 'node:tls'
import type { Measured, Running } from './contestants.ts'

/**
 * Memory that a process has written and shares with no other one, in bytes (proc_pid_smaps(5)).
 * Pages of files come and go by a megabyte, whatever the process does.
 */
function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(rollup)![1]) * 1024
}

/** The last ones are connected, but perhaps not accepted yet. */
const settledMs = 1_300

/**
 * How much memory each of `count` open connections needs.
 * @param bytes what each of them has echoed; 0: it was only opened
 * @param restMs how long they have been at rest then; a server may need it to free memory
 */
export async function memoryOfEach(
  { port, pid }: Running,
  transport: Measured,
  count: number,
  bytes: number,
  restMs: number,
): Promise<number> {
  // A first batch, closed again, so that what is allocated once is not counted.
  await openAndUse(port, transport, 100, 64, true)
  const before = privateBytes(pid)
  const sockets = await openAndUse(port, transport, count, bytes, false)
  await sleep(restMs)
  const grown = privateBytes(pid) - before
  for (const socket of sockets) socket.destroy()
  return grown / count
}

async function openAndUse(
  port: number,
  transport: Measured,
  count: number,
  bytes: number,
  close: boolean,
): Promise<Socket[]> {
  const sockets: Socket[] = []
  const isWs = transport === 'ws' || transport === 'wss'
  // A frame of WebSocket would need a head: there the upgrade is what is used.
  const used = isWs ? 0 : bytes
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, async () => {
      const socket = await open(port, transport)
      if (isWs) await upgrade(socket)
      if (used > 0) socket.write(Buffer.alloc(used))
      for (let back = 0; back < used;) back += ((await once(socket, 'data'))[0] as Buffer).length
      return socket
    })
    sockets.push(...(await Promise.all(batch)))
  }
  if (close) await Promise.all(sockets.map(socket => once(socket.end().resume(), 'close')))
  await sleep(settledMs)
  return sockets
}

/** Connects, with its handshake if there is TLS. */
async function open(port: number, transport: Measured): Promise<Socket> {
  const where = { port, host: '127.0.0.1' }
  const isSecure = transport === 'tls' || transport === 'wss'
  const socket = isSecure ? tls.connect({ ...where, rejectUnauthorized: false }) : connect(where)
  await once(socket, isSecure ? 'secureConnect' : 'connect')
  return socket
}

async function upgrade(socket: Socket): Promise<void> {
  socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  let head = ''
  const onData = (chunk: Buffer) => (head += chunk.toString('latin1'))
  socket.on('data', onData)
  while (!head.includes('\r\n\r\n')) await once(socket, 'data')
  socket.off('data', onData)
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no upgrade: ${head.slice(0, 60)}`)
}
