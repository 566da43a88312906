/** Calls over HTTP/2: requests side by side on one connection; answers are handed on in order. */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import type { HttpCalling } from '../../../options/calling.ts'
import type { AnswerHead } from './answer-parser.ts'
import { Answer, Caller } from './caller.ts'
import { heedFin } from './h2-fin.ts'
import type { Place } from './h1-caller.ts'

type Callback = (error?: Error | null) => void

/** Of the connection and of each stream: what may be under way to us (RFC 9113 section 5.2). */
const windowBytes = 2 ** 20

function open(socket: Duplex, { authority }: Place): ClientHttp2Session {
  const session = connect(`http://${authority}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: windowBytes, enablePush: false },
  })
  // Who hangs up at once is told of the connection all the same.
  session.once('connect', () => session.destroyed || session.setLocalWindowSize(windowBytes))
  return session
}

function request(
  session: ClientHttp2Session,
  { authority, resource }: Place,
  onHead: (head: AnswerHead) => void,
  lengthBytes?: number,
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': resource,
    ':authority': authority,
    'user-agent': 'yodel',
    accept: '*/*',
    'content-type': 'application/octet-stream',
    ...(lengthBytes !== undefined && { 'content-length': lengthBytes }),
  })
  stream.on('response', (headers: IncomingHttpHeaders, _flags: number, ...[raw]: unknown[]) => {
    const list = (raw ?? []) as string[]
    const pairs = list.flatMap((name, at): [string, string][] =>
      at % 2 === 0 && !name.startsWith(':') ? [[name, list[at + 1]!]] : [],
    )
    onHead({ version: '2', status: Number(headers[':status']), reason: '', headers: pairs })
  })
  return stream
}

export class Http2Messages extends Caller {
  readonly #place: Place
  readonly #session: ClientHttp2Session
  /** In the order of their requests. */
  readonly #answers: Answer[] = []
  readonly #streams = new Set<ClientHttp2Stream>()
  #finished: Callback | undefined

  constructor(socket: Duplex, place: Place, calling: HttpCalling) {
    super(calling, false)
    this.#place = place
    this.#session = open(socket, place)
    this.#session
      .on('error', error => this.destroy(error))
      .on('goaway', () => this.#answers.length === 0 && this.push(null))
      .on('close', () => this.push(null))
    heedFin(this.#session, socket, () => this.#streams)
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    if (this.#session.closed || this.#session.destroyed) return void this.push(null)
    const answer = new Answer(chunk.length)
    this.#answers.push(answer)
    const stream = request(this.#session, this.#place, head => this.judge(head), chunk.length)
    this.#streams.add(stream)
    const done = () => {
      answer.complete = true
      this.#deliver()
    }
    stream
      .on('data', (piece: Buffer) => answer.add(piece) || done())
      .on('end', () => stream.rstCode === 0 && done())
      .on('close', () => this.#streams.delete(stream))
      .on('error', error => this.destroy(error))
    stream.end(chunk)
    callback()
  }

  #deliver() {
    while (this.#answers[0]?.complete && !this.destroyed) this.push(this.#answers.shift()!.body)
    if (this.#answers.length === 0) this.#finished?.()
  }

  override _read(): void {}

  override _final(callback: Callback): void {
    this.#finished = () => {
      this.#finished = undefined
      this.push(null)
      callback()
    }
    this.#deliver()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#session.destroy()
    callback(error)
  }
}

/** One request, as long as there is something to say. */
export class Http2Stream extends Caller {
  readonly #session: ClientHttp2Session
  readonly #stream: ClientHttp2Stream

  constructor(socket: Duplex, place: Place, calling: HttpCalling) {
    super(calling, true)
    this.#session = open(socket, place).on('error', error => this.destroy(error))
    this.#stream = request(this.#session, place, head => this.judge(head))
    this.#stream
      .on('data', (piece: Buffer) => this.push(piece) || this.#stream.pause())
      .on('end', () => this.push(null))
      .on('close', () => this.push(null))
      .on('error', error => this.destroy(error))
    heedFin(this.#session, socket, () => [this.#stream])
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Callback): void {
    this.#stream.write(chunk, callback)
  }

  override _final(callback: Callback): void {
    this.#stream.end(callback)
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#session.destroy()
    callback(error)
  }
}
