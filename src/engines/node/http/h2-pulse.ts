/** Checks whether an HTTP/2 connection still works: Node has no event for some of its ends. */
import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

const lookMs = 500

/** How a connection ends without an event. */
export type Over = 'left' | 'broken'

/**
 * Node does not report two ends:
 *
 * - A client sends FIN while its streams are open, and closes. What is sent to it then is answered
 *   by RST, which is not read after FIN; and over TLS the write that fails is not reported.
 * - nghttp2 finds an error of the connection (RFC 9113 section 5.4.1) and sends GOAWAY. Then it
 *   neither reads nor writes, and most of these errors have no event.
 *
 * So if a client falls silent, the server sends it a frame. In the second case nghttp2 does not
 * write the frame. An empty write behind the frame shows whether the system still has the
 * connection. After FIN this is repeated, because nothing else would show the end.
 */
export class Pulse {
  readonly #raw: Socket
  readonly #socket: Socket
  readonly #session: ServerHttp2Session
  readonly #onOver: (why: Over) => void
  /** Bytes that had come at the last check. */
  #heard = 0
  /**
   * Whether the connection is known to work: then it is not checked again until something comes.
   */
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
    // A session that is closing sends no ping. The answer to a ping counts as nothing new.
    if (asked && session.closed) session.goaway()
    else if (asked) session.ping(() => (this.#heard = raw.bytesRead))
    // The callback waits for all bytes before it, so a client that does not read is not closed.
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

/**
 * Waits two turns of the loop. Frames are written at the end of a turn; after a write that has just
 * ended, one turn later.
 */
const twoTurns = (listener: () => void): void => void setImmediate(() => setImmediate(listener))

/** Checks all connections now and then, as long as there are any. */
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
