/** What is sent to an HTTP server, as a stream of messages: each a POST, each answer a chunk. */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { HttpCalling } from '../../../options/calling.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { failureName } from '../../failures.ts'
import { PatienceError, StatusError } from '../../../vocabulary/peer-errors.ts'
import type { AnswerHead } from '../../../wire/http/answer-parser.ts'

/** An answer may be longer than what was sent by so much before nobody waits for its end. */
const excessMaxBytes = 4096
/** A server that was told goodbye has so long to say it, too. */
const goodbyeMs = 1_000

/** Dials what HTTP travels by, once more. */
export type Redial = () => Promise<Duplex>

/**
 * Emits `answer` with an AnswerHead when one begins, before what it says.
 *
 * A server may hang up between two messages, and need not answer what comes after its goodbye: then
 * what is to be sent, or sent again, goes over a new connection. Emits `left` when it has hung up,
 * `reconnect` (after how many milliseconds) when it was reached again, and `again` for each message
 * that is sent once more.
 */
export abstract class Caller extends Duplex {
  protected readonly calling: HttpCalling
  protected sentBytes = 0
  /** For a server that is silent. */
  #patience: NodeJS.Timeout | undefined

  /** @param streams one request: what is written and read are pieces of it */
  constructor(calling: HttpCalling, streams: boolean) {
    super({ readableObjectMode: !streams, allowHalfOpen: true })
    this.calling = calling
    this.once('close', () => clearTimeout(this.#patience))
  }

  /** Reaches a server that has left, although there is nothing to send. */
  reopen(): void {}

  protected judge(head: AnswerHead): void {
    this.emit('answer', head)
    const { status, reason } = head
    if (this.calling.anyStatus || (status >= 200 && status < 300)) return
    this.destroy(new StatusError(status, reason))
  }

  /** An answer is owed, or some of it has come; false: nothing is owed. */
  protected awaitAnswer(isOwed: boolean): void {
    const { answerTimeoutMs } = this.calling
    if (answerTimeoutMs === undefined) return
    if (isOwed && this.#patience && !this.destroyed) return void this.#patience.refresh()
    clearTimeout(this.#patience)
    this.#patience = undefined
    if (!isOwed || this.destroyed) return
    const giveUp = () => this.destroy(new PatienceError(answerTimeoutMs, this.sentBytes))
    this.#patience = setTimeout(giveUp, Math.min(answerTimeoutMs, timerMaxMs))
  }
}

/** One message: what was sent, and its answer on the way in. */
export class Answer {
  /** Kept until it is answered: it may have to be sent again. */
  readonly sent: Buffer
  readonly #pieces: Buffer[] = []
  #receivedBytes = 0
  /** Something of it has come. */
  begun = false
  complete = false
  /** It was sent more than once. */
  again = false
  /** It is no echo any more, and its end is not waited for. */
  isOverlong = false

  constructor(sent: Buffer) {
    this.sent = sent
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#receivedBytes += piece.length
    if (this.#receivedBytes <= this.sent.length + excessMaxBytes) return
    this.isOverlong = this.complete = true
  }

  get body(): Buffer {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
  }
}

/** Hangs up on a connection that nobody needs any more, and waits for the other side to do so. */
export function takeLeave(socket: Duplex): void {
  if (socket.destroyed) return
  boundLeave(socket)
  socket.resume()
  socket.end()
}

/** Ends a connection that has said goodbye, should the other side never do so. */
export function boundLeave(socket: Duplex): void {
  if (socket.destroyed) return
  const timer = setTimeout(() => socket.destroy(), goodbyeMs).unref()
  // Nobody waits for that.
  ;(socket as Partial<Socket>).unref?.()
  socket.once('close', () => clearTimeout(timer))
}

/** A server may hang up as it likes; only what TLS or HTTP has to object is a failure. */
export const isGoodbye = (error: Error | null | undefined): boolean =>
  !error || failureName(error) === 'reset'
