/** Calls over HTTP/1.1: one request after the other, each a message. */
import type { Duplex } from 'node:stream'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import type { HttpCalling } from '../../../options/calling.ts'
import { AnswerParser, valuesOf, type AnswerHead } from '../../../wire/http/answer-parser.ts'
import { HttpExchange, Caller, isClose, closeInOrder, type Redial } from './caller.ts'
import { requestHead, type RequestTarget } from './target.ts'

type Callback = (error?: Error | null) => void

/** A request up to this length is written as one piece, which costs less than two. */
const togetherMaxBytes = 16 * 1024

/** The connection that is used now. */
interface Line {
  socket: Duplex
  parser: AnswerParser
  /** How many messages were answered on it, and the head of the last answer. */
  answered: number
  head: AnswerHead | undefined
  /** An answer has announced that it is the last one. */
  isLast: boolean
  sinceMs: number
}

/** Requests over one connection (keep-alive), each after the answer to the one before. */
export class Http1Messages extends Caller {
  /** The head of each request, up to the length of the body. */
  readonly #headBegins: string
  /** The head of the last request: the next one is often the same. */
  #head = { bodyBytes: -1, bytes: Buffer.alloc(0) }
  readonly #redial: Redial
  /** Undefined after the server closed, until there is something to send. */
  #line: Line | undefined
  /** The message in flight. */
  #answer: HttpExchange | undefined
  #sent: Callback | undefined
  #over = false

  constructor(socket: Duplex, requestTarget: RequestTarget, calling: HttpCalling, redial: Redial) {
    super(calling, false)
    this.#headBegins = `${requestHead(requestTarget)}Content-Length: `
    this.#redial = redial
    this.#listen(socket)
  }

  #listen(socket: Duplex) {
    const parser = new AnswerParser({
      onHead: head => this.#onHead(head),
      onBody: piece => this.#answer?.add(piece),
      onEnd: () => this.#answer && (this.#answer.complete = true),
    })
    const sinceMs = performance.now()
    const line: Line = { socket, parser, answered: 0, head: undefined, isLast: false, sinceMs }
    this.#line = line
    socket
      .on('data', (data: Buffer) => this.#line === line && this.#onData(line, data))
      .on('end', () => this.#onEnd(line))
      .on('error', error => this.#onEnd(line, error))
      .on('close', () => this.#onEnd(line))
    // The connection may have ended before these listeners were added.
    if (socket.destroyed || socket.readableEnded) this.#onEnd(line, socket.errored)
  }

  /**
   * Bytes that the system has not accepted. (The stream's own count does not help: a write
   * completes only when it is answered.)
   */
  get unsentBytes(): number {
    const { sent, again } = this.#answer ?? {}
    if (!sent) return this.writableLength
    const waiting = this.#line?.socket.writableLength ?? sent.length
    return this.writableLength - sent.length + (again ? 0 : Math.min(sent.length, waiting))
  }

  #onHead(head: AnswerHead) {
    if (this.#answer?.complete !== false) throw unasked()
    const line = this.#line!
    // The parser gives the same object again for the same bytes.
    if (head !== line.head) line.isLast = !isKept(head)
    line.head = head
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

  /**
   * Whether the message may be sent again: no byte of its answer has come, so the server may have
   * closed before it received the request.
   */
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
    // The timeout counts from the instant at which the system has accepted the request.
    const onAccepted = () => this.#answer?.sent === chunk && this.awaitAnswer(true)
    const accepted = this.calling.answerTimeoutMs === undefined ? undefined : onAccepted
    const head = this.#headFor(chunk.length)
    if (chunk.length <= togetherMaxBytes) {
      socket.write(Buffer.concat([head, chunk]), accepted)
      return
    }
    socket.cork()
    socket.write(head)
    socket.write(chunk, accepted)
    socket.uncork()
  }

  #headFor(bodyBytes: number): Buffer {
    if (this.#head.bodyBytes !== bodyBytes) {
      const bytes = Buffer.from(`${this.#headBegins}${bodyBytes}\r\n\r\n`, 'latin1')
      this.#head = { bodyBytes, bytes }
    }
    return this.#head.bytes
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

/** Whether an answer is a 408. The first digit rules it out for most answers. */
const startsWith408 = (data: Buffer): boolean =>
  data[9] === 0x34 && /^HTTP\/1\.[01] 408/.test(data.toString('latin1', 0, 12))

/** Whether another request may follow on the same connection (RFC 9112 section 9.3). */
function isKept({ version, headers }: AnswerHead): boolean {
  const options = valuesOf(headers, 'connection')
    .flatMap(value => value.split(','))
    .map(option => option.trim().toLowerCase())
  if (options.includes('close')) return false
  return version === '1.1' || options.includes('keep-alive')
}
