/** One connection of an HTTP server: what is under way on it, and how it ends. */
import type { Server } from 'node:http'
import { constants, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import { failureName } from '../../failures.ts'
import type { Accepted } from '../core/protocol.ts'
import type { Request, Response } from './exchange.ts'

/** How long a client that was refused may take to read why. */
const lingerMs = 1_000

export class HttpConnection {
  readonly socket: Socket
  readonly accepted: Accepted | undefined
  readonly number: number
  readonly openedAt = performance.now()
  /** Of HTTP/2. */
  session: ServerHttp2Session | undefined
  leaving = false
  /** What came was no HTTP, and it has been said so. */
  refused = false
  /** Its end is known, and counted if it is a failure: whatever breaks by it is no further one. */
  #over = false
  readonly #counters: Meter['counters']
  /** Streams whose answer was ended before it was complete, by us. */
  readonly #cut = new WeakSet<object>()
  /** Ends what waits on its behalf. */
  readonly #onGone = new Set<() => void>()
  readonly #onLeaving = new Set<() => void>()
  readonly #underWay = new Set<Response>()

  constructor(socket: Socket, accepted: Accepted | undefined, number: number, { counters }: Meter) {
    this.#counters = counters
    this.socket = socket
    this.accepted = accepted
    this.number = number
    socket.once('close', () => {
      for (const listener of this.#onGone) listener()
      this.#onGone.clear()
      this.#underWay.clear()
    })
  }

  /** The connection fails: counted once, whatever follows from it. False: it is over already. */
  fail(why: FailureName | NodeJS.ErrnoException): boolean {
    if (this.#over) return false
    this.#over = true
    if (typeof why !== 'string')
      why = why.code?.startsWith('ERR_HTTP2') === true ? 'protocol' : failureName(why)
    this.#counters[counter[why]]!++
    return true
  }

  /** The client has left: no failure, whatever breaks by it. */
  left(): void {
    this.#over = true
    this.raw.destroy()
  }

  /** How many wait for something else than the client. */
  get waiting(): number {
    return this.#onGone.size
  }

  /** Calls when the connection is gone; the function that is returned calls it off. */
  whenGone(listener: () => void): () => void {
    this.#onGone.add(listener)
    return () => this.#onGone.delete(listener)
  }

  /** The same for when the server wants to leave. */
  whenLeaving(listener: () => void): () => void {
    if (this.leaving) listener()
    this.#onLeaving.add(listener)
    return () => this.#onLeaving.delete(listener)
  }

  begin(request: Request, response: Response): void {
    this.#underWay.add(response)
    response.once('close', () => this.#end(response))
    // What breaks is counted for the connection, once.
    for (const stream of [request, response]) stream.on('error', () => {})
    if (this.leaving) this.#sayLast(response)
  }

  #end(response: Response) {
    this.#underWay.delete(response)
    if (this.leaving && !this.session && this.#underWay.size === 0) this.socket.end()
  }

  /** What is under way is finished, and nothing else begun. */
  leave(): void {
    this.leaving = true
    for (const listener of this.#onLeaving) listener()
    if (this.session) this.session.close()
    else if (this.#underWay.size === 0) this.socket.end()
    else for (const response of this.#underWay) this.#sayLast(response)
  }

  #sayLast(response: Response) {
    if (!this.session && !response.headersSent) response.setHeader('Connection', 'close')
  }

  /** Says why in HTTP/1.1, unless an answer has begun already; and hangs up. */
  refuse(text: string): void {
    const { socket } = this
    this.refused = this.#over = true
    const begun = [...this.#underWay].some(response => response.headersSent)
    if (begun || !socket.writable) return void socket.destroy()
    socket.end(text)
    socket.once('end', () => socket.destroy())
    this.hangUpSoon()
  }

  /** Ends an answer before it is complete: the connection with it, unless that has others. */
  cut(response: Response): void {
    if (!response.stream) return void this.socket.end()
    if (response.stream.closed) return
    this.#cut.add(response.stream)
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  hasCut(stream: object): boolean {
    return this.#cut.has(stream)
  }

  /** The socket that was accepted: below TLS, if there is any. */
  get raw(): Socket {
    return this.accepted?.raw ?? this.socket
  }

  /** A client that does not read the last bytes is not waited for. */
  hangUpSoon(): void {
    const timer = setTimeout(() => this.raw.destroy(), lingerMs)
    this.raw.once('close', () => clearTimeout(timer))
  }

  reset(): void {
    if (!this.raw.destroyed) this.raw.resetAndDestroy()
  }
}

/** The parsers of Node take connections that others have accepted; they never listen. */
export const handOver = (server: Pick<Server, 'emit'>, socket: Socket): boolean =>
  server.emit('connection', socket)

/** Sends back what comes in; there is one with faults, and one that waits for the whole of it. */
export type EchoBody = (request: Request, response: Response, connection: HttpConnection) => void
