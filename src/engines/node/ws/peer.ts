/** A WebSocket client of an echo with faults (core/faulty-echo). */
import type { Socket } from 'node:net'
import { heldMaxBytes } from '../../../faults/arrived-chunks.ts'
import { ConnectionEnded, type Chunk } from '../../../faults/fault.ts'
import { unsentMaxBytes, type HoldBack } from '../../backpressure.ts'
import type { Peer, PeerEvents } from '../core/faulty-echo.ts'
import { goingAway } from '../../../wire/ws/closing.ts'
import { opcode } from '../../../wire/ws/frames.ts'
import { FrameWriter } from './frame-writer.ts'
import { dataOf, type ServerSocket } from './socket.ts'

/** What a ping counts in addition to its bytes if it is held back or dropped. */
const pingBytes = 256

/** Each chunk is a frame; `more` says that the message goes on in the next one. */
export class MessagePeer implements Peer {
  readonly #ws: ServerSocket
  readonly #socket: Socket
  readonly #holdBack: HoldBack
  readonly #pongs: FrameWriter
  #listening = true
  #ended = false
  /** The reasons why the client is not read from. */
  readonly #holds = new Set<'data' | 'pongs' | 'hang'>()
  /** The newest ping whose pong had no room; older ones need none (RFC 6455 section 5.5.3). */
  #unanswered: Buffer | undefined
  /** Frames that came while the connection hung. */
  #ignoredBytes = 0
  /** The client's close frame, which is answered when everything is written. */
  #closeFrame: [code?: number, reason?: string | Buffer] | undefined

  constructor(ws: ServerSocket, socket: Socket, holdBack: HoldBack) {
    this.#ws = ws
    this.#socket = socket
    this.#holdBack = holdBack
    this.#pongs = new FrameWriter(socket, false)
  }

  listen(events: PeerEvents): void {
    const ws = this.#ws
    ws.beforeClose = (...closeFrame) => {
      this.#closeFrame ??= closeFrame
      events.onEnd()
      return true
    }
    ws.on('message', (data, isBinary) => {
      const message = dataOf(data)
      if (this.#listening) events.onData(message, { binary: isBinary })
      else events.onDiscarded(message.length)
    })
    ws.on('ping', data => this.#onPing(data, events.hangs))
    this.#socket.on('drain', () => {
      if (this.#unanswered) this.#pongs.frame(opcode.pong, this.#unanswered)
      this.#unanswered = undefined
      this.#release('pongs')
    })
    this.#takeOverEnd(() => events.onEnd())
  }

  #onPing(data: Buffer, hangs: boolean) {
    if (this.#ended || this.#ws.readyState !== this.#ws.OPEN) return
    if (hangs) {
      this.#ignoredBytes += data.length + pingBytes
      if (this.#ignoredBytes > heldMaxBytes) this.#hold('hang')
    } else if (this.#pongs.waitingBytes > unsentMaxBytes) {
      this.#unanswered = data
      this.#hold('pongs')
    } else this.#pongs.frame(opcode.pong, data)
  }

  #hold(why: 'data' | 'pongs' | 'hang') {
    this.#holds.add(why)
    this.#holdBack(this.#ws)
  }

  #release(why: 'data' | 'pongs' | 'hang') {
    if (this.#holds.delete(why) && this.#holds.size === 0) this.#ws.resume()
  }

  /**
   * Takes over the answer to FIN: the package would answer at once, and chunks that faults hold
   * would be lost.
   */
  #takeOverEnd(answer: () => void) {
    const theirs = this.#socket.listeners('end').find(({ name }) => name === 'socketOnEnd')
    if (theirs) this.#socket.off('end', theirs as () => void)
    this.#socket.on('end', answer)
  }

  pause(): void {
    this.#hold('data')
  }

  resume(): void {
    this.#release('data')
  }

  /** Other faults are in force: the connection may not hang any more. */
  revive(): void {
    this.#ignoredBytes = 0
    this.#release('hang')
  }

  write({ data, message, more = false }: Chunk): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = { binary: message?.binary ?? true, fin: !more }
      this.#ws.send(data, options, error => (error ? reject(new ConnectionEnded()) : resolve()))
    })
  }

  stopListening(): void {
    this.#socket.read()
    this.#listening = false
    this.#holds.clear()
    this.#ws.resume()
  }

  /**
   * Ends the connection by a close frame (the answer to the client's, or our own). If a fault ends
   * it, there is only FIN.
   */
  end(leaving: boolean): void {
    this.#ended = true
    this.#pongs.flush()
    if (this.#closeFrame) this.#ws.closeNow(...this.#closeFrame)
    else if (leaving) this.#ws.closeNow(...goingAway)
    else this.#socket.end()
  }
}
