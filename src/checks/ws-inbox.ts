/** The messages that come on a WebSocket: those that echo what was sent, and those that do not. */
import type { WebSocket } from 'ws'
import { shownBytes } from './changes.ts'
import type { Scene } from './scene.ts'

export interface WsMessage {
  data: Buffer
  isBinary: boolean
}

/** How long to look for a message behind another one: if there is any, it comes at once. */
const extraMs = 60
const toldMax = 3

export class WsInbox {
  readonly #socket: WebSocket
  readonly #scene: Scene
  readonly #waiting: WsMessage[] = []
  /** How many messages were not an echo. */
  addedCount = 0
  /** The first of these messages. */
  readonly added: string[] = []

  constructor(scene: Scene, socket: WebSocket) {
    this.#scene = scene
    this.#socket = socket
    socket.on('message', (data: Buffer, isBinary) => void this.#waiting.push({ data, isBinary }))
  }

  /** The next message; undefined after a silence, or if the connection has ended. */
  next(silenceMs: number): Promise<WsMessage | undefined> {
    const socket = this.#socket
    return new Promise(resolve => {
      const settle = () => {
        clearTimeout(timer)
        socket.off('message', settle).off('close', settle)
        resolve(this.#waiting.shift())
      }
      const timer = setTimeout(settle, silenceMs)
      socket.on('message', settle).on('close', settle)
      if (this.#waiting.length > 0 || socket.readyState !== socket.OPEN) settle()
    })
  }

  /** Sends, and waits for the same to come back: it may come behind something else. */
  async echo(send: () => void, sent: Buffer): Promise<WsMessage | undefined> {
    this.#setAside('before it was sent')
    send()
    const first = await this.next(this.#scene.silenceMs)
    if (!first || first.data.equals(sent)) return first
    const second = await this.next(this.#patienceMs)
    if (second?.data.equals(sent)) this.#note(first, 'in front of the echo')
    else if (second) this.#waiting.unshift(second)
    return second?.data.equals(sent) ? second : first
  }

  /** Waits a little for what is not due any more. */
  async quiet(when: string): Promise<void> {
    const more = await this.next(this.#patienceMs)
    if (more) this.#note(more, when)
    this.#setAside(when)
  }

  get #patienceMs(): number {
    return extraMs + 2 * this.#scene.known.rttMs
  }

  #setAside(when: string) {
    for (const message of this.#waiting.splice(0)) this.#note(message, when)
  }

  #note({ data, isBinary }: WsMessage, when: string) {
    const kind = isBinary ? 'binary' : 'text'
    if (++this.addedCount > toldMax) return
    this.added.push(`${kind} of ${data.length} B came ${when}: ${shownBytes(data, 40)}`)
  }
}
