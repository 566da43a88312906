/** The console of the page: a WebSocket, behind which a client talks to one of the listeners. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { connect, type Connection } from '../connect.ts'
import { printable } from '../vocabulary/text.ts'
import type { ConsoleReply } from './api.ts'
import type { OwnListener } from './faults.ts'
import { Refused } from './refused.ts'

const consolesMax = 50
const messageMaxBytes = 65_536
/** How many messages of one console may wait for earlier ones. */
const queueMax = 32
const timeoutMs = 10_000

export class Consoles {
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: messageMaxBytes,
    perMessageDeflate: false,
  })

  /** @throws Refused if there are too many */
  accept(request: IncomingMessage, stream: Duplex, head: Buffer, listener: OwnListener): void {
    if (this.#sockets.clients.size >= consolesMax)
      throw new Refused(503, `${consolesMax} consoles are open already.`, 'Close one.')
    this.#sockets.handleUpgrade(request, stream, head, socket => new Bridge(socket, listener))
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate()
    this.#sockets.close()
  }
}

/** One message after the other goes to the listener, and is answered with what came back. */
class Bridge {
  readonly #socket: WebSocket
  readonly #listener: OwnListener
  readonly #queue: Buffer[] = []
  #busy = false
  #connection: Connection | undefined
  #arriving: AsyncIterator<Uint8Array> | undefined

  constructor(socket: WebSocket, listener: OwnListener) {
    this.#socket = socket
    this.#listener = listener
    socket.on('message', (data: Buffer) => {
      if (this.#queue.length >= queueMax) return this.#fail('Too many messages wait for a reply.')
      this.#queue.push(data)
      if (!this.#busy) void this.#work()
    })
    // A protocol error closes it.
    socket.on('error', () => {})
    socket.on('close', () => this.#hangUp())
  }

  async #work() {
    this.#busy = true
    for (;;) {
      const message = this.#queue.shift()
      if (!message || this.#socket.readyState !== this.#socket.OPEN) break
      try {
        const { reply, roundTripUs } = await this.#echo(message)
        const wrong = !reply.equals(message)
        this.#answer({ text: printable(reply), roundTripUs, wrong, error: null })
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
    const { server, calling = {} } = this.#listener
    this.#connection ??= await connect(server.address, { timeoutMs, calling })
    this.#arriving ??= this.#connection[Symbol.asyncIterator]()
    const startedAt = performance.now()
    const written = this.#connection.write(message)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const text = `No reply within ${timeoutMs / 1e3} seconds.`
      timer = setTimeout(() => reject(new Error(text)), timeoutMs)
    })
    try {
      // Writes and reads at the same time: a listener does not read from a client that does not
      // read.
      const [reply] = await Promise.race([Promise.all([this.#read(message.length), written]), late])
      return { reply, roundTripUs: (performance.now() - startedAt) * 1e3 }
    } finally {
      clearTimeout(timer)
    }
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

  #fail(error: string) {
    this.#answer({ text: '', roundTripUs: 0, wrong: false, error })
  }

  #answer(reply: ConsoleReply) {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(reply))
  }

  #hangUp() {
    void this.#connection?.close()
    this.#connection = undefined
    this.#arriving = undefined
  }
}
