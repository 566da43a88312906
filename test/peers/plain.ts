/**
 * Stands in for programs that are not installed: plain.js client|sender|copy HOST PORT [--count N]
 *
 * client and sender do as client.py and sender.py do; copy does as ncat and socat do. Shares no
 * code with yodel.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { createInterface } from 'node:readline'
import { read } from '../client.ts'

const [role, host, port, , count] = process.argv.slice(2)
const socket = connect({ host: host!, port: Number(port), allowHalfOpen: true })
await once(socket, 'connect')

/** Sends and waits for the echo, as a blocking program does. */
async function echo(message: Buffer): Promise<Buffer> {
  socket.write(message)
  return read(socket, message.length)
}

async function client() {
  for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(await echo(Buffer.from(`${line}\n`)))
}

async function sender() {
  const message = Buffer.from('Hello, server!\n')
  let sent = 0
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort())
  while (!interrupt.signal.aborted && sent !== Number(count)) {
    sent++
    const answer = await echo(message)
    if (!answer.equals(message)) throw new Error(`message ${sent} came back as ${String(answer)}`)
    if (sent === 1) process.stdout.write('the first message came back\n')
  }
  process.stdout.write(`${sent} messages were sent, and came back\n`)
}

const copy = () => Promise.all([pipeline(process.stdin, socket), pipeline(socket, process.stdout)])

await { client, sender, copy }[role!]!()
socket.end()
