/**
 * A server with a fault, to see whether a soak finds it: the environment variable FAULT says which.
 * It answers like benchmarks/soak-server.ts.
 */
import { openSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { short } from './full.ts'

const fault = process.env['FAULT']
const counts = {
  open: 0,
  waiting: 0,
  turnedAway: 0,
  wrongBytes: 0,
  other: 0,
  bytesIn: 0,
  bytesOut: 0,
}
const kept: Buffer[] = []
let opened = 0

/** Faults that show only now and then: the soak has to meet them. */
const isItsTurn = () => opened % short(16, 4) === 0

function change(chunk: Buffer): Buffer {
  if (fault === 'wrong byte' && counts.bytesIn > 2e6) chunk[chunk.length >> 1]! ^= 1
  if (fault === 'lost byte' && counts.bytesIn > 2e6) return chunk.subarray(1)
  return chunk
}

function end(socket: Socket): void {
  if (fault === 'reset instead of FIN' && isItsTurn()) socket.resetAndDestroy()
  else if (fault === 'FIN never' && isItsTurn()) return
  else socket.end()
}

const server = createServer({ allowHalfOpen: true }, socket => {
  opened++
  counts.open++
  if (fault === 'leaks memory') kept.push(Buffer.alloc(20_000, 1))
  if (fault === 'FIN too early' && isItsTurn()) setTimeout(() => socket.end(), 5)
  socket.on('data', chunk => {
    counts.bytesIn += chunk.length
    if (socket.writableEnded) return
    if (!socket.write(change(chunk))) socket.pause()
  })
  socket.on('drain', () => socket.resume())
  socket.on('end', () => end(socket))
  socket.on('error', () => {})
  socket.on('close', () => {
    if (fault !== 'counts wrongly' || !isItsTurn()) counts.open--
  })
  if (fault === 'leaks descriptors') openSync('/dev/null', 'r')
})
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `tcp://:${(server.address() as AddressInfo).port}` }))
})
if (fault === 'never sleeps') setInterval(() => spin(performance.now() + 50), 50)

function spin(untilMs: number): void {
  while (performance.now() < untilMs);
}

for await (const _ of createInterface(process.stdin)) console.log(JSON.stringify(counts))
process.exit(fault === 'leaves with 1' ? 1 : 0)
