/** A WebSocket client of a badly behaved server; see ../faulty-echo.ts. */
import type { Socket } from 'node:net'
import { Gone, type Chunk } from '../../../faults/fault.ts'
import type { Listener, Peer } from '../faulty-echo.ts'
import { goingAway, bytesOf, type ServerSocket } from './socket.ts'

/** More pings are not answered while their pongs wait (RFC 6455 section 5.5.3 allows it). */
const pongsMax = 100

/** Each chunk is a frame; `more` says that the message goes on in the next one. */
export class MessagePeer implements Peer {
  readonly #ws: ServerSocket
  readonly #socket: Socket
  #listening = true
  #ended = false
  #pongs = 0
  /** How the client has taken leave, which is answered when everything is written. */
  #goodbye: [code?: number, reason?: string | Buffer] | undefined

  constructor(ws: ServerSocket, socket: Socket) {
    this.#ws = ws
    this.#socket = socket
  }

  listen(listener: Listener): void {
    const ws = this.#ws
    ws.beforeClose = (...goodbye) => {
      this.#goodbye ??= goodbye
      listener.onEnd()
      return true
    }
    ws.on('message', (data, isBinary) => {
      const message = bytesOf(data)
      if (this.#listening) listener.onData(message, { binary: isBinary })
      else listener.onDiscarded(message.length)
    })
    ws.on('ping', data => {
      if (listener.hangs || this.#ended || this.#pongs === pongsMax) return
      this.#pongs++
      ws.pong(data, false, () => this.#pongs--)
    })
    this.#takeOverEnd(() => listener.onEnd())
  }

  /** The package answers FIN at once, and what is held for the client would be lost. */
  #takeOverEnd(answer: () => void) {
    const theirs = this.#socket.listeners('end').find(({ name }) => name === 'socketOnEnd')
    if (theirs) this.#socket.off('end', theirs as () => void)
    this.#socket.on('end', answer)
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  write({ data, message, more = false }: Chunk): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = { binary: message?.binary ?? true, fin: !more }
      this.#ws.send(data, options, error => (error ? reject(new Gone()) : resolve()))
    })
  }

  stopListening(): void {
    this.#socket.read()
    this.#listening = false
    this.#ws.resume()
  }

  /** A server that ends in the middle, for no reason, does so without a close frame. */
  end(leaving: boolean): void {
    this.#ended = true
    if (this.#goodbye) this.#ws.closeNow(...this.#goodbye)
    else if (leaving) this.#ws.closeNow(...goingAway)
    else this.#socket.end()
  }
}
