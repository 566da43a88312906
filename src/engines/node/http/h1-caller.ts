/** Calls over HTTP/1.1: one request after the other, or one whose body streams both ways. */
import type { Duplex } from 'node:stream'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import type { HttpCalling } from '../../../options/calling.ts'
import { AnswerParser, valuesOf, type AnswerHead } from '../../../wire/http/answer-parser.ts'
import { HttpExchange, Caller, isClose, closeInOrder, type Redial } from './caller.ts'
import type { RequestTarget } from './target.ts'

type Callback = (error?: Error | null) => void

const head = ({ method, authority, resource, headers }: RequestTarget): string =>
  [
    `${method} ${resource} HTTP/1.1\r\nHost: ${authority}\r\n`,
    ...headers.map(([name, value]) => `${name}: ${value}\r\n`),
  ].join('')

/** The connection that is used now. */
interface Line {
  socket: Duplex
  parser: AnswerParser
  /** How many messages were answered on it. */
  answered: number
  /** An answer has announced that it is the last one. */
  isLast: boolean
  sinceMs: number
}

/** Requests over one connection (keep-alive), each after the answer to the one before. */
export class Http1Messages extends Caller {
  readonly #head: string
  readonly #redial: Redial
  /** Undefined after the server closed, until there is something to send. */
  #line: Line | undefined
  /** The message in flight. */
  #answer: HttpExchange | undefined
  #sent: Callback | undefined
  #over = false

  constructor(socket: Duplex, requestTarget: RequestTarget, calling: HttpCalling, redial: Redial) {
    super(calling, false)
    this.#head = `${head(requestTarget)}Content-Length: `
    this.#redial = redial
    this.#listen(socket)
  }

  #listen(socket: Duplex) {
    const parser = new AnswerParser({
      onHead: head => this.#onHead(head),
      onBody: piece => this.#answer?.add(piece),
      onEnd: () => this.#answer && (this.#answer.complete = true),
    })
    const line: Line = { socket, parser, answered: 0, isLast: false, sinceMs: performance.now() }
    this.#line = line
    socket
      .on('data', (data: Buffer) => this.#line === line && this.#onData(line, data))
      .on('end', () => this.#onEnd(line))
      .on('error', error => this.#onEnd(line, error))
      .on('close', () => this.#onEnd(line))
    // It may have ended before it had these listeners.
    if (socket.destroyed || socket.readableEnded) this.#onEnd(line, socket.errored)
  }

  /** Bytes that the system has not accepted. A write completes only when it is answered. */
  get unsentBytes(): number {
    const { sent, again } = this.#answer ?? {}
    if (!sent) return this.writableLength
    const waiting = this.#line?.socket.writableLength ?? sent.length
    return this.writableLength - sent.length + (again ? 0 : Math.min(sent.length, waiting))
  }

  #onHead(head: AnswerHead) {
    if (this.#answer?.complete !== false) throw unasked()
    this.#line!.isLast = !isKept(head)
    this.judge(head)
  }

  #onData(line: Line, data: Buffer) {
    if (this.destroyed) return
    // Some servers send 408 before they close (RFC 9110 section 15.5.9).
    if (startsWith408(data) && (!this.#answer || this.#mayGoAgain(line))) {
      line.socket.end()
      return this.#onEnd(line)
    }
    try {
      if (!this.#answer) throw unasked()
      this.#answer.begun = true
      line.parser.feed(data)
      if (this.#answer.isOverlong) line.isLast = true
      else if (this.#answer.complete && !line.parser.isBetween) throw unasked()
    } catch (error) {
      return void this.destroy(error as Error)
    }
    this.awaitAnswer(true)
    if (this.#answer.complete) this.#deliver()
  }

  #deliver() {
    const [answer, sent, line] = [this.#answer, this.#sent, this.#line]
    if (!answer || this.destroyed) return
    this.#answer = this.#sent = undefined
    this.awaitAnswer(false)
    if (line) line.answered++
    if (line?.isLast) this.#leave(line)
    this.push(answer.body)
    sent?.()
  }

  #leave(line: Line) {
    this.#line = undefined
    closeInOrder(line.socket)
  }

  /** No byte of the answer has come: the server may have closed before it received the request. */
  #mayGoAgain = ({ answered }: Line): boolean => answered > 0 && this.#answer?.begun === false

  #onEnd(line: Line, error?: Error | null) {
    if (line !== this.#line || this.destroyed) return
    if (!isClose(error)) return void this.destroy(error!)
    const mayGoAgain = this.#mayGoAgain(line)
    // The end of the connection may be the end of the body.
    line.parser.close()
    this.#leave(line)
    if (!this.#answer) return void this.emit('left', performance.now() - line.sinceMs)
    if (this.#answer.complete) return this.#deliver()
    if (mayGoAgain) {
      this.#answer.again = true
      this.emit('again')
      void this.#reconnect()
    } else if (error) this.destroy(error)
    else this.#giveUp()
  }

  #giveUp() {
    this.#over = true
    this.push(null)
    // A write that waits for its answer would keep this stream from ending.
    const sent = this.#sent
    this.#answer = this.#sent = undefined
    this.awaitAnswer(false)
    sent?.()
  }

  async #reconnect(): Promise<void> {
    const startedMs = performance.now()
    try {
      const socket = await this.#redial()
      if (this.destroyed || this.#over) return void socket.destroy()
      this.emit('reconnect', performance.now() - startedMs)
      this.#listen(socket)
      if (this.#line && this.#answer) this.#send(this.#line.socket, this.#answer.sent)
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  override reopen(): void {
    if (!this.#line && !this.#over && !this.#answer) void this.#reconnect()
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    this.sentBytes += chunk.length
    if (this.#over) return callback()
    this.#answer = new HttpExchange(chunk)
    this.#sent = callback
    if (this.#line) this.#send(this.#line.socket, chunk)
    else void this.#reconnect()
  }

  #send(socket: Duplex, chunk: Buffer) {
    this.awaitAnswer(true)
    socket.cork()
    socket.write(`${this.#head}${chunk.length}\r\n\r\n`, 'latin1')
    // The timeout counts from the instant at which the system has accepted the request.
    socket.write(chunk, () => this.#answer?.sent === chunk && this.awaitAnswer(true))
    socket.uncork()
  }

  override _read(): void {}

  override _final(callback: Callback): void {
    this.#over = true
    this.#line?.socket.end()
    this.push(null)
    callback()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#line?.socket.destroy()
    callback(error)
  }
}

const unasked = () => new ProtocolError('an answer came without a request')

const startsWith408 = (data: Buffer): boolean =>
  /^HTTP\/1\.[01] 408/.test(data.toString('latin1', 0, 12))

/** Whether another request may follow on the same connection (RFC 9112 section 9.3). */
function isKept({ version, headers }: AnswerHead): boolean {
  const options = valuesOf(headers, 'connection')
    .flatMap(value => value.split(','))
    .map(option => option.trim().toLowerCase())
  if (options.includes('close')) return false
  return version === '1.1' || options.includes('keep-alive')
}

/** One request: its body is sent in chunks while there is something to send; or it is a GET. */
export class Http1Stream extends Caller {
  readonly #socket: Duplex
  readonly #hasBody: boolean
  #answered = false
  /** The whole body was written. */
  #isSaid = false
  /** The system has not accepted the last write yet. */
  #isWriting = false

  constructor(socket: Duplex, requestTarget: RequestTarget, calling: HttpCalling) {
    super(calling, true)
    this.#socket = socket
    const parser = new AnswerParser({
      onHead: answer => this.judge(answer),
      onBody: piece => {
        this.returnedBytes += piece.length
        const mayGoOn = this.push(piece)
        if (!mayGoOn) socket.pause()
        this.awaitAnswer(this.#isOwed && mayGoOn)
      },
      onEnd: () => {
        this.#answered = true
        this.awaitAnswer(false)
        this.push(null)
      },
    })
    socket
      .on('data', (data: Buffer) => {
        if (this.#answered || this.destroyed) return
        this.awaitAnswer(this.#isOwed)
        try {
          parser.feed(data)
        } catch (error) {
          this.destroy(error as Error)
        }
      })
      .on('end', () => {
        if (this.#answered) return
        parser.close()
        if (!this.#answered) this.push(null)
      })
      .on('error', error => this.destroy(error))
      .on('close', () => this.#answered || this.push(null))
    this.#hasBody = requestTarget.method !== 'GET'
    const coding = this.#hasBody ? 'Transfer-Encoding: chunked\r\n' : ''
    socket.write(`${head(requestTarget)}${coding}Connection: close\r\n\r\n`, 'latin1')
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    this.sentBytes += chunk.length
    // A chunk of size 0 would be the end.
    if (chunk.length === 0 || !this.#hasBody) return callback()
    const socket = this.#socket
    this.#isWriting = true
    this.awaitAnswer(this.#isOwed)
    socket.cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    socket.write('\r\n', 'latin1', error => {
      this.#isWriting = false
      this.awaitAnswer(this.#isOwed)
      callback(error)
    })
    socket.uncork()
  }

  override _final(callback: Callback): void {
    this.#isSaid = true
    if (this.#hasBody) this.#socket.write('0\r\n\r\n', 'latin1', callback)
    else callback()
    this.awaitAnswer(this.#isOwed)
  }

  /** The server must act: it must read what was written or, when all is written, answer. */
  get #isOwed(): boolean {
    return (this.#isSaid || this.#isWriting || this.isFull) && !this.#answered
  }

  override _read(): void {
    this.#socket.resume()
    this.awaitAnswer(this.#isOwed)
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#socket.destroy()
    callback(error)
  }
}
