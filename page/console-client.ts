/** The echo client of the page: a WebSocket to the server, which sends to a listener. */
import { signal } from '@preact/signals'
import type { ConsoleReply, ConsoleWaiting, Place } from '../src/dashboard/api.ts'
import { openConsole } from './request.ts'
import { own } from './state.ts'

export interface Line {
  number: number
  sent: string
  /** Null while the answer is awaited. */
  reply: ConsoleReply | null
}

/** The most lines that are kept, for the list and for the chart. */
const mostLines = 200

export const listener = signal(0)
export const lines = signal<readonly Line[]>([])
/** Where the console's connection waits to be served; null if it does not. */
export const place = signal<Place | null>(null)

/** Why the server ended it (RFC 6455, 7.4.1). */
const tooBig = 1009

const noReply = { text: '', roundTripUs: 0, wrong: false, peer: null }

let socket: WebSocket | null = null
let count = 0

/** It connects with the first message: an unused console is not a connection. */
export function send(text: string): void {
  const line = { number: ++count, sent: text, reply: null }
  lines.value = [...lines.peek().slice(1 - mostLines), line]
  const open = socket ?? connect()
  if (open.readyState === WebSocket.OPEN) open.send(text)
  else open.addEventListener('open', () => open.send(text), { once: true })
}

function connect(): WebSocket {
  const mine = openConsole(listener.peek())
  socket = mine
  mine.addEventListener('message', ({ data }) => hear(JSON.parse(data as string) as Heard))
  mine.addEventListener('close', ({ code, reason }) => {
    if (socket !== mine) return
    socket = null
    giveUp(
      code === tooBig ? 'A message has 64 KiB at most.' : reason || 'The connection has ended.',
    )
  })
  return mine
}

/** Another listener is another connection. */
export function chooseListener(index: number): void {
  listener.value = index
  socket?.close()
  socket = null
  giveUp('Another listener was chosen.')
}

type Heard = ConsoleReply | ConsoleWaiting

/** Replies come in the order of the messages. */
function hear(reply: Heard): void {
  place.value = 'waiting' in reply ? reply.waiting : null
  if ('waiting' in reply) return
  own.console.value = reply.peer
  const first = lines.peek().find(line => line.reply === null)
  lines.value = lines.peek().map(line => (line === first ? { ...line, reply } : line))
}

function giveUp(error: string): void {
  place.value = null
  own.console.value = null
  if (lines.peek().every(({ reply }) => reply !== null)) return
  lines.value = lines
    .peek()
    .map(line => (line.reply ? line : { ...line, reply: { ...noReply, error } }))
}
