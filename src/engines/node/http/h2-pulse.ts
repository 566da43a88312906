/** Whether there is still somebody at an HTTP/2 connection: of some ends Node says nothing. */
import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

const lookMs = 500

/** How a connection is over without an event. */
export type Over = 'left' | 'broken'

/**
 * Two things Node keeps to itself:
 *
 * - A client has said FIN while its streams are open, and is gone: whatever reaches it is answered
 *   by RST, which nobody reads after FIN; and over TLS the write that fails is not reported.
 * - nghttp2 has found an error of the connection (RFC 9113 section 5.4.1) and sent its GOAWAY: then
 *   it neither reads nor writes any more, and most of these errors have no event.
 *
 * So a client that falls silent after its bytes is sent a frame, which an HTTP/2 that is over
 * does not write; and an empty write shows whether the system still has the connection. Once there
 * has been FIN, this is repeated: nothing else tells us.
 */
export class Pulse {
  readonly #raw: Socket
  readonly #socket: Socket
  readonly #session: ServerHttp2Session
  readonly #onOver: (why: Over) => void
  /** Bytes that had come when we looked last. */
  #heard = 0
  /** Nothing more is to be asked until something comes. */
  #sure = false
  #asking = false
  #ended = false

  /** @param raw the socket that was accepted; `socket` may be the TLS above it */
  constructor(
    raw: Socket,
    socket: Socket,
    session: ServerHttp2Session,
    onOver: (why: Over) => void,
  ) {
    this.#raw = raw
    this.#socket = socket
    this.#session = session
    this.#onOver = onOver
    socket.once('end', () => (this.#ended = true))
  }

  look(): void {
    const raw = this.#raw
    if (this.#asking || !raw.writable || this.#socket.writableEnded) return
    if (raw.bytesRead !== this.#heard) {
      this.#heard = raw.bytesRead
      this.#sure = false
    } else if (!this.#sure || this.#ended) this.#ask()
  }

  #ask() {
    const [raw, session] = [this.#raw, this.#session]
    this.#asking = true
    const before = raw.bytesWritten
    const asked = !session.destroyed
    // A session that is being closed sends no more pings. What answers one is nothing new.
    if (asked && session.closed) session.goaway()
    else if (asked) session.ping(() => (this.#heard = raw.bytesRead))
    // Its callback waits for all that is in front: a client that does not read is not gone.
    twoTurns(() => {
      if (!raw.writable) return
      raw.write('', error => {
        if (error) return this.#onOver('left')
        twoTurns(() => {
          this.#asking = false
          if (raw.destroyed || session.destroyed) return
          if (asked && raw.bytesWritten === before) this.#onOver('broken')
          else this.#sure = true
        })
      })
    })
  }
}

/** Frames are written at the end of a turn, and those behind a write that has ended one later. */
const twoTurns = (listener: () => void): void => void setImmediate(() => setImmediate(listener))

/** Looks at all of them, as long as there are any. */
export class Pulses {
  readonly #pulses = new Set<Pulse>()
  #timer: NodeJS.Timeout | undefined

  watch(raw: Socket, pulse: Pulse): void {
    this.#pulses.add(pulse)
    this.#timer ??= setInterval(() => {
      for (const each of this.#pulses) each.look()
    }, lookMs)
    raw.once('close', () => {
      this.#pulses.delete(pulse)
      if (this.#pulses.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    })
  }
}
