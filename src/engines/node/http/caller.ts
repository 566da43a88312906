/** An HTTP client as a stream: each write is a POST, each chunk that is read is an answer. */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { HttpCalling } from '../../../options/calling.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { failureName } from '../../failures.ts'
import { AnswerTimeoutError, StatusError } from '../../../vocabulary/peer-errors.ts'
import type { AnswerHead } from '../../../wire/http/answer-parser.ts'

/** How much longer than its request an answer may be; the end of a longer one is not awaited. */
const excessMaxBytes = 4096
/** How long a server may take to answer a FIN with its own. */
const closeTimeoutMs = 1_000

/** Dials the transport below HTTP once more. */
export type Redial = () => Promise<Duplex>

/**
 * Emits `answer` with its AnswerHead when an answer begins, before its content.
 *
 * A server may close the connection between two messages, and need not answer what it receives
 * after that. What is unanswered then goes over a new connection. Emits `left` when the server has
 * closed the connection, `reconnect` (with the milliseconds that this took) when a new connection
 * is open, and `again` for each message that is sent once more.
 */
export abstract class Caller extends Duplex {
  protected readonly calling: HttpCalling
  protected sentBytes = 0
  protected returnedBytes = 0
  /** Runs while an answer is owed and the server is silent. */
  #answerTimer: NodeJS.Timeout | undefined

  /** @param streams one request: what is written and read are pieces of it */
  constructor(calling: HttpCalling, streams: boolean) {
    super({ readableObjectMode: !streams, allowHalfOpen: true })
    this.calling = calling
    this.once('close', () => clearTimeout(this.#answerTimer))
  }

  /** Connects again to a server that has closed, although there is nothing to send. */
  reopen(): void {}

  /** Whether too much is unanswered: then nothing more is written until some of it comes back. */
  protected get isFull(): boolean {
    const { underWayMaxBytes = Infinity } = this.calling
    return this.sentBytes - this.returnedBytes >= underWayMaxBytes
  }

  protected judge(head: AnswerHead): void {
    this.emit('answer', head)
    const { status, reason } = head
    if (this.calling.anyStatus || (status >= 200 && status < 300)) return
    this.destroy(new StatusError(status, reason))
  }

  /**
   * To be called when an answer is awaited, and when a part of it has come. False: no answer is
   * awaited.
   */
  protected awaitAnswer(isOwed: boolean): void {
    const { answerTimeoutMs } = this.calling
    if (answerTimeoutMs === undefined) return
    if (isOwed && this.#answerTimer && !this.destroyed) return void this.#answerTimer.refresh()
    clearTimeout(this.#answerTimer)
    this.#answerTimer = undefined
    if (!isOwed || this.destroyed) return
    const giveUp = () => this.destroy(new AnswerTimeoutError(answerTimeoutMs, this.sentBytes))
    this.#answerTimer = setTimeout(giveUp, Math.min(answerTimeoutMs, timerMaxMs))
  }
}

/** One message: what was sent, and what has come of its answer. */
export class HttpExchange {
  /** The message, kept until it is answered: it may have to be sent again. */
  readonly sent: Buffer
  readonly #pieces: Buffer[] = []
  #receivedBytes = 0
  /** The first bytes of the answer have come. */
  begun = false
  complete = false
  /** It was sent more than once. */
  again = false
  /** The answer is longer than an echo can be, so its end is not awaited. */
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

/** Sends FIN on a connection that is not needed any more, and waits for the server's. */
export function closeInOrder(socket: Duplex): void {
  if (socket.destroyed) return
  destroyLater(socket)
  socket.resume()
  socket.end()
}

/** Closes a connection whose server does not send its FIN in time. */
export function destroyLater(socket: Duplex): void {
  if (socket.destroyed) return
  const timer = setTimeout(() => socket.destroy(), closeTimeoutMs).unref()
  // The timer does not keep the process alive.
  ;(socket as Partial<Socket>).unref?.()
  socket.once('close', () => clearTimeout(timer))
}

/**
 * Whether an error only means that the server closed the connection, as it may at any time. An
 * error of TLS or HTTP is a failure.
 */
export const isClose = (error: Error | null | undefined): boolean =>
  !error || failureName(error) === 'reset'
