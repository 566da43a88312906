/** What is sent to an HTTP server, as a stream of messages: each a POST, each answer a chunk. */
import { Duplex } from 'node:stream'
import type { HttpCalling } from '../../../options/calling.ts'
import { ProtocolError } from '../../failures.ts'
import type { AnswerHead } from './answer-parser.ts'

/** An answer may be longer than what was sent by so much before nobody waits for its end. */
const excessMaxBytes = 4096

/** Emits `answer` with an AnswerHead when one begins, before what it says. */
export abstract class Caller extends Duplex {
  protected readonly calling: HttpCalling

  /** @param streams one request: what is written and read are pieces of it */
  constructor(calling: HttpCalling, streams: boolean) {
    super({ readableObjectMode: !streams, allowHalfOpen: true })
    this.calling = calling
  }

  protected judge(head: AnswerHead): void {
    this.emit('answer', head)
    const { status, reason } = head
    if (this.calling.anyStatus || (status >= 200 && status < 300)) return
    this.destroy(new ProtocolError(`the answer has status ${status} ${reason}`.trimEnd()))
  }
}

/** One answer on its way in. */
export class Answer {
  readonly sentBytes: number
  readonly #pieces: Buffer[] = []
  #receivedBytes = 0
  complete = false

  constructor(sentBytes: number) {
    this.sentBytes = sentBytes
  }

  /** False: that is no echo any more. */
  add(piece: Buffer): boolean {
    this.#pieces.push(piece)
    this.#receivedBytes += piece.length
    return this.#receivedBytes <= this.sentBytes + excessMaxBytes
  }

  get body(): Buffer {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
  }
}
