/** Calls over HTTP/2: requests in parallel on one connection; answers are delivered in order. */
import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { HttpCalling } from '../../../options/calling.ts'
import { upon } from '../core/upon.ts'
import type { AnswerHead } from '../../../wire/http/answer-parser.ts'
import { HttpExchange, destroyLater, Caller, isClose, type Redial } from './caller.ts'
import type { RequestTarget } from './target.ts'
import { heedFin } from './h2-fin.ts'
import { openH2, request } from './h2-session.ts'

type Callback = (error?: Error | null) => void

/** How often messages may be sent again before an answer comes, per message in flight. */
const againMax = 5

/** A connection: the one that is used now, or one that only finishes its requests. */
interface Line {
  socket: Duplex
  session: ClientHttp2Session
  streams: Set<ClientHttp2Stream>
  answered: number
  /** Whether the server has closed the connection, with GOAWAY or without. */
  isLeft: boolean
  sinceMs: number
}

export class Http2Messages extends Caller {
  readonly #requestTarget: RequestTarget
  readonly #redial: Redial
  /** The answers, in the order of their requests. */
  readonly #answers: HttpExchange[] = []
  /** Messages to send, or to send again, when there is a connection. */
  #unsent: HttpExchange[] = []
  /** Undefined after the server closed, until there is something to send. */
  #line: Line | undefined
  /** All open connections, also those that only finish their requests. */
  readonly #lines = new Set<Line>()
  #isDialling = false
  /** How many messages were sent again since the last answer. */
  #retries = 0
  #over = false
  #finished: Callback | undefined

  constructor(socket: Duplex, requestTarget: RequestTarget, calling: HttpCalling, redial: Redial) {
    super(calling, false)
    this.#requestTarget = requestTarget
    this.#redial = redial
    this.#listen(socket)
  }

  #listen(socket: Duplex) {
    const session = openH2(socket, this.#requestTarget)
    const streams = new Set<ClientHttp2Stream>()
    const sinceMs = performance.now()
    const line: Line = { socket, session, streams, answered: 0, isLeft: false, sinceMs }
    this.#line = line
    this.#lines.add(line)
    // This listener must be the first: later ones end the streams, which then look at `isLeft`.
    socket.once('end', () => this.#onLeft(line))
    session
      .on('error', error => isClose(error) || this.destroy(error))
      // Node itself closes the session, and refuses streams that the server will not serve.
      .on('goaway', () => this.#onLeft(line))
      .on('close', () => {
        this.#onLeft(line)
        this.#lines.delete(line)
      })
    heedFin(session, socket, () => streams)
  }

  /** Bytes that the system has not accepted: writes complete at once, but wait in their streams. */
  get unsentBytes(): number {
    let waiting = this.writableLength
    for (const { sent, again } of this.#unsent) if (!again) waiting += sent.length
    for (const { streams } of this.#lines)
      for (const { writableLength } of streams) waiting += writableLength
    return waiting
  }

  #onLeft(line: Line) {
    if (line.streams.size === 0 && !line.isLeft) destroyLater(line.socket)
    line.isLeft = true
    if (this.#line !== line) return
    this.#line = undefined
    if (this.#answers.length === 0 && !this.destroyed)
      this.emit('left', performance.now() - line.sinceMs)
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    this.sentBytes += chunk.length
    if (this.#over) return callback()
    const answer = new HttpExchange(chunk)
    this.#answers.push(answer)
    this.awaitAnswer(true)
    this.#send(answer)
    callback()
  }

  #send(answer: HttpExchange) {
    const line = this.#line
    if (!line || line.session.closed || line.session.destroyed) {
      this.#unsent.push(answer)
      void this.#reconnect()
      return
    }
    const onHead = (head: AnswerHead) => {
      answer.begun = true
      this.judge(head)
    }
    const stream = request(line.session, this.#requestTarget, onHead, answer.sent.length)
    line.streams.add(stream)
    let failure: Error | undefined
    const done = () => {
      if (answer.complete && !answer.isOverlong) return
      answer.complete = true
      line.answered++
      this.#retries = 0
      this.#deliver()
    }
    stream
      .on('data', (piece: Buffer) => {
        this.awaitAnswer(true)
        answer.add(piece)
        if (answer.isOverlong) done()
      })
      .on('end', () => stream.rstCode === 0 && done())
      .on('error', error => (failure = error))
      .on('close', () => {
        line.streams.delete(stream)
        if (line.isLeft && line.streams.size === 0) destroyLater(line.socket)
        if (!answer.complete) this.#onUnanswered(answer, line, stream, failure)
      })
    stream.end(answer.sent)
  }

  /**
   * Sends a message again if the server did not serve it, or may have been closing when it came.
   */
  #onUnanswered(answer: HttpExchange, line: Line, stream: ClientHttp2Stream, error?: Error) {
    if (this.destroyed || this.#over) return
    // RFC 9113 section 8.7. A stream without a number was never sent.
    const isRefused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM
    const isUnserved = isRefused || stream.id === undefined
    const isLost = (line.isLeft || line.session.destroyed) && isClose(line.socket.errored)
    const mayGoAgain = isUnserved || (isLost && line.answered > 0)
    if (mayGoAgain && !answer.begun && ++this.#retries <= againMax * this.#answers.length) {
      answer.again = true
      this.emit('again')
      this.#send(answer)
    } else if (isLost && !error) this.#giveUp()
    else this.destroy(error ?? new Error('an answer was cut short'))
  }

  #giveUp() {
    this.#over = true
    this.awaitAnswer(false)
    if (this.#finished) this.#finished()
    else this.push(null)
  }

  async #reconnect(): Promise<void> {
    if (this.#isDialling) return
    this.#isDialling = true
    const startedMs = performance.now()
    try {
      const socket = await this.#redial()
      if (this.destroyed || this.#over) return void socket.destroy()
      this.emit('reconnect', performance.now() - startedMs)
      await upon(socket, () => this.#listen(socket))
    } catch (error) {
      return void this.destroy(error as Error)
    } finally {
      this.#isDialling = false
    }
    const unsent = this.#unsent
    this.#unsent = []
    for (const answer of this.#answers) if (unsent.includes(answer)) this.#send(answer)
  }

  override reopen(): void {
    if (!this.#line && !this.#over) void this.#reconnect()
  }

  #deliver() {
    while (this.#answers[0]?.complete && !this.destroyed) this.push(this.#answers.shift()!.body)
    this.awaitAnswer(this.#answers.length > 0)
    if (this.#answers.length === 0) this.#finished?.()
  }

  override _read(): void {}

  override _final(callback: Callback): void {
    if (this.#over) return callback()
    this.#finished = () => {
      this.#finished = undefined
      this.#over = true
      this.push(null)
      callback()
    }
    this.#deliver()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    for (const { session, socket } of this.#lines) {
      session.destroy()
      destroyLater(socket)
    }
    callback(error)
  }
}

/** One request, whose body is sent for as long as there is something to send. */
export class Http2Stream extends Caller {
  readonly #session: ClientHttp2Session
  readonly #socket: Duplex
  readonly #stream: ClientHttp2Stream
  /** The whole body was written; a write waits for the system; the answer is complete. */
  #isSaid = false
  #isWriting = false
  #answered = false

  constructor(socket: Duplex, requestTarget: RequestTarget, calling: HttpCalling) {
    super(calling, true)
    this.#socket = socket
    this.#session = openH2(socket, requestTarget).on('error', error => this.destroy(error))
    this.#stream = request(this.#session, requestTarget, head => this.judge(head))
    this.#stream
      .on('data', (piece: Buffer) => {
        this.returnedBytes += piece.length
        const mayGoOn = this.push(piece)
        if (!mayGoOn) this.#stream.pause()
        this.awaitAnswer(this.#isOwed && mayGoOn)
      })
      .on('end', () => this.#onEnd())
      .on('close', () => this.#onEnd())
      .on('error', error => this.destroy(error))
    heedFin(this.#session, socket, () => [this.#stream])
  }

  #onEnd() {
    this.#answered = true
    this.awaitAnswer(false)
    this.push(null)
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    this.sentBytes += chunk.length
    if (this.#stream.writableEnded) return callback()
    this.#isWriting = true
    this.awaitAnswer(this.#isOwed)
    this.#stream.write(chunk, error => {
      this.#isWriting = false
      this.awaitAnswer(this.#isOwed)
      callback(error)
    })
  }

  override _final(callback: Callback): void {
    this.#isSaid = true
    this.awaitAnswer(this.#isOwed)
    this.#stream.end(callback)
  }

  /**
   * Whether the server has to do something: read what was written or, if all is written, answer.
   */
  get #isOwed(): boolean {
    return (this.#isSaid || this.#isWriting || this.isFull) && !this.#answered
  }

  override _read(): void {
    this.#stream.resume()
    this.awaitAnswer(this.#isOwed)
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#session.destroy()
    destroyLater(this.#socket)
    callback(error)
  }
}
