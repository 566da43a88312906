/** The console of the page: a WebSocket, behind which a client talks to one of the listeners. */
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { connectUntil, type Connection } from '../connect.ts'
import { peerText, printable } from '../vocabulary/text.ts'
import type { ConsoleReply, ConsoleWaiting } from './api.ts'
import type { OwnListener } from './faults.ts'
import type { PlaceNow } from './queue.ts'
import { Refused } from './refused.ts'

const consolesMax = 50
const messageMaxBytes = 65_536
/** How many messages of one console may wait for earlier ones. */
const queueMax = 32
const timeoutMs = 10_000
/** How often it reports its place in the queue, if the listener is full. */
const placeMs = 1_000
/** How long it waits for a listener that is full, like any client. */
const patienceMs = 3_600_000

/** A listener, and how to ask where a client waits for it. */
export interface Called {
  listener: OwnListener
  queueUp: () => Promise<PlaceNow>
}

export class Consoles {
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: messageMaxBytes,
    perMessageDeflate: false,
  })

  /** @throws Refused if there are too many */
  accept(request: IncomingMessage, stream: Duplex, head: Buffer, called: Called): void {
    if (this.#sockets.clients.size >= consolesMax)
      throw new Refused(503, `${consolesMax} consoles are open already.`, 'Close one.')
    this.#sockets.handleUpgrade(request, stream, head, socket => new Bridge(socket, called))
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate()
    this.#sockets.close()
  }
}

/** One message after the other goes to the listener, and is answered with what came back. */
class Bridge {
  readonly #socket: WebSocket
  readonly #called: Called
  readonly #ended = new AbortController()
  readonly #queue: Buffer[] = []
  #busy = false
  #connection: Connection | undefined
  #arriving: AsyncIterator<Uint8Array> | undefined
  /** The place of the connection in the queue, until the first reply has come. */
  #turn: PlaceNow = () => null

  constructor(socket: WebSocket, called: Called) {
    this.#socket = socket
    this.#called = called
    socket.on('message', (data: Buffer) => {
      if (this.#queue.length >= queueMax) return this.#fail('Too many messages wait for a reply.')
      this.#queue.push(data)
      if (!this.#busy) void this.#work()
    })
    // A protocol error closes it.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#ended.abort()
      this.#hangUp()
    })
  }

  async #work() {
    this.#busy = true
    for (;;) {
      const message = this.#queue.shift()
      if (!message || this.#socket.readyState !== this.#socket.OPEN) break
      try {
        const { reply, roundTripUs } = await this.#echo(message)
        const wrong = !reply.equals(message)
        this.#answer({ text: printable(reply), roundTripUs, peer: this.#peer, wrong, error: null })
      } catch (error) {
        // A late reply would be taken for the reply to the next message.
        this.#hangUp()
        this.#fail((error as Error).message)
      }
    }
    this.#busy = false
  }

  async #echo(message: Buffer) {
    if (message.length === 0) throw new Error('The message is empty: nothing would come back.')
    if (!this.#connection) this.#turn = await this.#called.queueUp()
    const patience = this.#watch()
    try {
      this.#connection ??= await this.#connect()
      const exchange = this.#exchange(this.#connection, message)
      return await Promise.race([exchange, patience.late()])
    } finally {
      patience.end()
    }
  }

  async #exchange(connection: Connection, message: Buffer) {
    this.#arriving ??= connection[Symbol.asyncIterator]()
    const startedAt = performance.now()
    const written = connection.write(message)
    // Writes and reads at the same time: a listener does not read from a client that does not
    // read.
    const [reply] = await Promise.all([this.#read(message.length), written])
    this.#turn = () => null
    return { reply, roundTripUs: (performance.now() - startedAt) * 1e3 }
  }

  async #connect(): Promise<Connection> {
    const { server, calling = {} } = this.#called.listener
    // A transport with a handshake is connected only when the client is served.
    const options = { timeoutMs: this.#turn() ? patienceMs : timeoutMs, calling }
    return connectUntil(server.address, options, this.#ended.signal)
  }

  /**
   * Reports the place in the queue. The time in which a connected client waits does not count as
   * silence.
   */
  #watch() {
    let since = performance.now()
    let onLate = () => {}
    const look = () => {
      const waiting = this.#turn()
      if (waiting) this.#answer({ waiting })
      if (waiting) since = performance.now()
      else if (performance.now() - since >= timeoutMs) onLate()
    }
    const timer = setInterval(look, placeMs)
    look()
    const late = () =>
      new Promise<never>((_, reject) => {
        since = performance.now()
        onLate = () => reject(new Error(`No reply within ${timeoutMs / 1e3} seconds.`))
      })
    return { late, end: () => clearInterval(timer) }
  }

  async #read(bytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for (let missing = bytes; missing > 0;) {
      const { done, value } = await this.#arriving!.next()
      if (done) throw new Error('The listener closed the connection before all had come back.')
      chunks.push(value)
      missing -= value.length
    }
    return Buffer.concat(chunks)
  }

  get #peer(): string | null {
    const stream = this.#connection?.stream
    if (!(stream instanceof Socket)) return null
    return peerText(stream.localAddress, stream.localPort) || null
  }

  #fail(error: string) {
    this.#answer({ text: '', roundTripUs: 0, peer: this.#peer, wrong: false, error })
  }

  #answer(reply: ConsoleReply | ConsoleWaiting) {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(reply))
  }

  #hangUp() {
    void this.#connection?.close()
    this.#connection = undefined
    this.#arriving = undefined
  }
}
