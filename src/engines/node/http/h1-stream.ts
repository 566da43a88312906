/** One call over HTTP/1.1 whose body streams both ways. */
import type { Duplex } from 'node:stream'
import type { HttpCalling } from '../../../options/calling.ts'
import { AnswerParser } from '../../../wire/http/answer-parser.ts'
import { Caller } from './caller.ts'
import { requestHead, type RequestTarget } from './target.ts'

type Callback = (error?: Error | null) => void

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
    socket.write(`${requestHead(requestTarget)}${coding}Connection: close\r\n\r\n`, 'latin1')
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    this.sentBytes += chunk.length
    // An empty chunk would end the body.
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

  /**
   * Whether the server has to do something: read what was written or, if all is written, answer.
   */
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
