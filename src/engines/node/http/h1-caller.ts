/** Calls over HTTP/1.1: one request after the other, or one whose body streams both ways. */
import type { Duplex } from 'node:stream'
import { ProtocolError } from '../../failures.ts'
import { AnswerParser } from './answer-parser.ts'
import { Answer, Caller } from './caller.ts'
import type { HttpCalling } from '../../../options/calling.ts'

type Callback = (error?: Error | null) => void

export interface Place {
  /** As the Host header has it (RFC 9110 section 7.2). */
  authority: string
  /** Path and query. */
  resource: string
}

const head = ({ authority, resource }: Place): string =>
  `POST ${resource} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: yodel\r\nAccept: */*\r\n` +
  'Content-Type: application/octet-stream\r\n'

/** Keep-alive; the next request goes out when the answer to the one before is complete. */
export class Http1Messages extends Caller {
  readonly #head: string
  readonly #redial: () => Promise<Duplex>
  #socket: Duplex
  #answer: Answer | undefined
  #sent: Callback | undefined
  #parser!: AnswerParser

  constructor(socket: Duplex, place: Place, calling: HttpCalling, redial: () => Promise<Duplex>) {
    super(calling, false)
    this.#head = `${head(place)}Content-Length: `
    this.#redial = redial
    this.#socket = socket
    this.#listen(socket)
  }

  #listen(socket: Duplex) {
    this.#socket = socket
    this.#parser = new AnswerParser({
      onHead: answer => this.#answer && this.judge(answer),
      onBody: piece => {
        if (this.#answer?.add(piece) === false) this.#deliver()
      },
      onEnd: () => this.#deliver(),
    })
    socket
      .on('data', (data: Buffer) => this.#onData(data))
      .on('end', () => this.#onEnd())
      .on('error', error => this.#socket === socket && this.destroy(error))
      .on('close', () => this.#socket === socket && this.#onEnd())
  }

  #onData(data: Buffer) {
    if (this.destroyed) return
    // Some say 408 before they hang up.
    if (!this.#answer && this.calling.anyStatus) {
      this.#socket.destroy()
      return
    }
    try {
      if (!this.#answer) throw new ProtocolError('an answer came to nothing that was asked')
      this.#parser.feed(data)
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  #deliver() {
    const [answer, sent] = [this.#answer, this.#sent]
    if (!answer || this.destroyed) return
    this.#answer = this.#sent = undefined
    this.push(answer.body)
    sent?.()
  }

  /** Between two requests a server may always hang up; whoever types does not notice. */
  #onEnd() {
    const complete = this.#parser.close()
    this.#socket.end()
    if (this.calling.anyStatus && complete && !this.#answer && !this.writableEnded) return
    this.push(null)
    // A write that waits for its answer would keep this stream from ending.
    const sent = this.#sent
    this.#sent = undefined
    sent?.()
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    if (this.calling.anyStatus && (this.#socket.destroyed || this.#socket.writableEnded))
      this.#redial().then(
        socket => {
          this.#listen(socket)
          this.#send(chunk, callback)
        },
        (error: Error) => callback(error),
      )
    else this.#send(chunk, callback)
  }

  #send(chunk: Buffer, callback: Callback) {
    const socket = this.#socket
    this.#answer = new Answer(chunk.length)
    this.#sent = callback
    socket.cork()
    socket.write(`${this.#head}${chunk.length}\r\n\r\n`, 'latin1')
    socket.write(chunk)
    socket.uncork()
  }

  override _read(): void {}

  override _final(callback: Callback): void {
    this.#socket.end()
    this.push(null)
    callback()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#socket.destroy()
    callback(error)
  }
}

/** One request in chunks, as long as there is something to say. */
export class Http1Stream extends Caller {
  readonly #socket: Duplex
  #answered = false

  constructor(socket: Duplex, place: Place, calling: HttpCalling) {
    super(calling, true)
    this.#socket = socket
    const parser = new AnswerParser({
      onHead: answer => this.judge(answer),
      onBody: piece => this.push(piece) || socket.pause(),
      onEnd: () => {
        this.#answered = true
        this.push(null)
      },
    })
    socket
      .on('data', (data: Buffer) => {
        if (this.#answered || this.destroyed) return
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
    socket.write(`${head(place)}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`, 'latin1')
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    // A chunk of size 0 would be the end.
    if (chunk.length === 0) return callback()
    const socket = this.#socket
    socket.cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    socket.write('\r\n', 'latin1', callback)
    socket.uncork()
  }

  override _final(callback: Callback): void {
    this.#socket.write('0\r\n\r\n', 'latin1', callback)
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#socket.destroy()
    callback(error)
  }
}
