/** One connection of an HTTP server: its open requests, and how it ends. */
import type { Server } from 'node:http'
import { constants, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import { failureName } from '../../failures.ts'
import { lingerMs, partingOf } from '../../leave.ts'
import type { AcceptedSocket } from '../core/protocol.ts'
import type { Request, Response } from './exchange.ts'

const ignore = () => {}

export class HttpConnection {
  readonly socket: Socket
  readonly accepted: AcceptedSocket | undefined
  readonly number: number
  readonly openedAt = performance.now()
  /** Only with HTTP/2. */
  session: ServerHttp2Session | undefined
  leaving = false
  /** The client did not send valid HTTP, and was told so. */
  refused = false
  /**
   * The end of the connection is known, and counted if it is a failure; later errors are not
   * counted.
   */
  #over = false
  readonly #counters: Meter['counters']
  /** Streams whose answer we ended before it was complete. */
  readonly #cut = new WeakSet<object>()
  /** Called when the connection has ended: each listener ends something that waits. */
  readonly #onGone = new Set<() => void>()
  readonly #onLeaving = new Set<() => void>()
  readonly #underWay = new Set<Response>()

  constructor(
    socket: Socket,
    accepted: AcceptedSocket | undefined,
    number: number,
    { counters }: Meter,
  ) {
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

  /** Counts that the connection failed, once. False if its end was known before. */
  fail(why: FailureName | NodeJS.ErrnoException): boolean {
    if (this.#over) return false
    this.#over = true
    if (typeof why !== 'string')
      why = why.code?.startsWith('ERR_HTTP2') === true ? 'protocol' : failureName(why)
    this.#counters[counter[why]]!++
    return true
  }

  /** The client has left: later errors are not failures. */
  left(): void {
    this.#over = true
    this.raw.destroy()
  }

  /** How many answers wait for something other than the client. */
  get waiting(): number {
    return this.#onGone.size
  }

  /** Calls the listener when the connection has ended; returns a function that removes it. */
  whenGone(listener: () => void): () => void {
    this.#onGone.add(listener)
    return () => this.#onGone.delete(listener)
  }

  /** Calls the listener when the server begins to drain; returns a function that removes it. */
  whenLeaving(listener: () => void): () => void {
    if (this.leaving) listener()
    this.#onLeaving.add(listener)
    return () => this.#onLeaving.delete(listener)
  }

  begin(request: Request, response: Response): void {
    this.#underWay.add(response)
    response.once('close', () => this.#end(response))
    // Errors are counted once, for the connection.
    request.on('error', ignore)
    response.on('error', ignore)
    if (this.leaving) this.#part()
  }

  #end(response: Response) {
    this.#underWay.delete(response)
    if (this.leaving) this.#part()
  }

  /** Finishes the open requests, and accepts no further ones. */
  leave(): void {
    this.leaving = true
    for (const listener of this.#onLeaving) listener()
    this.#part()
  }

  #part() {
    const stage = this.#underWay.size === 0 ? 'open' : 'answering'
    const parting = partingOf(stage, this.session ? 'http2' : 'http1')
    if (parting === 'end') this.socket.end()
    if (parting !== 'announce') return
    if (this.session) return this.session.close()
    for (const response of this.#underWay)
      if (!response.headersSent) response.setHeader('Connection', 'close')
  }

  /** Sends the reason in HTTP/1.1, unless an answer has begun, and closes. */
  refuse(text: string): void {
    const { socket } = this
    this.refused = this.#over = true
    const begun = [...this.#underWay].some(response => response.headersSent)
    if (begun || !socket.writable) return void socket.destroy()
    socket.end(text)
    socket.once('end', () => socket.destroy())
    this.hangUpSoon()
  }

  /** Ends an answer before it is complete: in HTTP/2 its stream, else its connection. */
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

  /** Closes soon, even if the client does not read the last bytes. */
  hangUpSoon(): void {
    const timer = setTimeout(() => this.raw.destroy(), lingerMs)
    this.raw.once('close', () => clearTimeout(timer))
  }

  reset(): void {
    if (!this.raw.destroyed) this.raw.resetAndDestroy()
  }
}

/** Gives a connection to a server of Node, which is used as a parser and never listens. */
export const handOver = (server: Pick<Server, 'emit'>, socket: Socket): boolean =>
  server.emit('connection', socket)

/** Sends a body back: as it comes, through faults, or when all of it has come. */
export type EchoBody = (request: Request, response: Response, connection: HttpConnection) => void
