/** connect in a pipe: stdin goes out, what comes back goes to stdout, and it must be the same. */
import type { Connection } from '../connect.ts'
import type { AnswerHead } from '../wire/http/answer-parser.ts'
import { errnoOf, explainBreak } from '../engines/failures.ts'
import { countGarbage } from '../engines/garbage.ts'
import { UserError } from '../vocabulary/errors.ts'
import { ExpectedBytes } from '../load/expected-bytes.ts'
import { hexDump, printable } from '../vocabulary/text.ts'
import { largeBytes, proxyHint, transports, underWayMaxBytes } from '../vocabulary/transport.ts'
import { formatCount, formatDuration, plural, timerMaxMs } from '../vocabulary/units.ts'
import { exitCodes, type Talked } from './exit.ts'
import { onInterrupt } from './output.ts'
import { TextLines } from './text-lines.ts'

/** How long to wait for the server's FIN after the last expected byte, in case more bytes come. */
const graceMs = 250

interface PipeShape {
  hex: boolean
  text: boolean
  /**
   * Whether to send FIN as soon as stdin has ended. Many servers and proxies then close the
   * connection.
   */
  halfClose: boolean
  /**
   * After this long without a byte in either direction, FIN is sent although the rest is missing.
   */
  timeoutMs: number
}

/**
 * Ends exactly when stdin has ended and all of it has come back; or says how many bytes are
 * missing, or where the first wrong one is.
 */
export async function talkByPipe(connection: Connection, shape: PipeShape): Promise<Talked> {
  const pipe = new Pipe(connection, shape, shape.text ? new TextLines() : undefined)
  const restore = onInterrupt(() => pipe.interrupt())
  const talked = await pipe.talked
  restore()
  await connection.close()
  return talked
}

class Pipe {
  readonly talked: Promise<Talked>
  readonly #socket
  readonly #expected = new ExpectedBytes()
  readonly #hex: boolean
  /** Whether the transport has messages; a request of HTTP is one stream of bytes here. */
  readonly #hasBounds: boolean
  /** Set if each line is a message of text; the newline is put back when its echo returns. */
  readonly #lines: TextLines | undefined
  #hasLastNewline = true
  /** Whether the transport is HTTP, and the head of its answer. */
  readonly #isHttp: boolean
  #answer: AnswerHead | undefined
  #inputEnded = false
  /**
   * Whether the stream is ended as soon as stdin ends. With HTTP that ends the request; it is not
   * FIN.
   */
  readonly #endsAtOnce: boolean
  readonly #timeoutMs: number
  #timer: NodeJS.Timeout | undefined
  #timedOut = false
  #grace: NodeJS.Timeout | undefined
  #settle!: (talked: Talked) => void

  constructor({ stream: socket, address }: Connection, shape: PipeShape, lines?: TextLines) {
    this.#socket = socket
    this.#hasBounds = socket.readableObjectMode
    const isRequest = transports[address.transport].carries === 'messages' && !this.#hasBounds
    this.#endsAtOnce = shape.halfClose || isRequest
    this.#isHttp = isRequest
    socket.on('answer', (head: AnswerHead) => (this.#answer = head))
    this.#timeoutMs = Math.min(shape.timeoutMs, timerMaxMs)
    this.#hex = shape.hex
    this.#lines = lines
    this.talked = new Promise(resolve => (this.#settle = resolve))
    const { stdin, stdout } = process
    stdin.on('data', (chunk: Buffer) => this.#onInput(chunk))
    stdin.on('end', () => this.#onInputEnd())
    stdin.on('error', error => this.#end(`cannot read stdin: ${error.message}`))
    stdout.on('drain', () => socket.resume())
    stdout.on('error', error => {
      const gone = errnoOf(error) === 'EPIPE'
      this.#end(gone ? 'the reader of stdout is gone.' : `cannot write: ${error.message}`)
    })
    socket.on('data', (chunk: Buffer | string) => this.#onMessage(chunk))
    socket.on('drain', () => this.#readOn())
    socket.on('end', () => this.#onReplyEnd())
    socket.on('error', error => this.#onBreak(error))
    socket.on('close', () => this.#onReplyEnd())
    // The connection may have broken before this listener was added.
    if (socket.errored) this.#onBreak(socket.errored)
    else if (socket.closed) this.#onReplyEnd()
  }

  #onBreak(error: Error) {
    const { broke, hint } = explainBreak(error)
    const more = hint.includes(proxyHint) ? '' : this.#aboutHttp()
    this.#end(`${`${broke}: ${this.#account()} ${hint}`.trim()}${more}`)
  }

  #onInput(chunk: Buffer) {
    const full = this.#lines ? this.#sendLines(this.#lines, chunk) : !this.#send(chunk)
    if (full || this.#expected.missingBytes >= underWayMaxBytes) process.stdin.pause()
  }

  /** Sends a message. Returns false if no more may be sent before the stream has drained. */
  #send(message: Buffer | string, newline = ''): boolean {
    this.#expected.sent(typeof message === 'string' ? Buffer.from(message + newline) : message)
    return this.#socket.write(message)
  }

  /**
   * Sends the lines of a chunk; without a chunk, the rest at the end. Returns true if no more may
   * be sent before the stream has drained.
   */
  #sendLines(lines: TextLines, chunk?: Buffer): boolean {
    try {
      if (chunk) for (const line of lines.take(chunk)) this.#send(line, '\n')
      else {
        const rest = lines.rest()
        this.#hasLastNewline = rest === undefined
        if (rest !== undefined) this.#send(rest)
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.#end(error.message)
    }
    return this.#socket.writableNeedDrain
  }

  #readOn() {
    const { missingBytes } = this.#expected
    if (missingBytes < underWayMaxBytes && !this.#socket.writableNeedDrain) process.stdin.resume()
  }

  #onInputEnd() {
    if (this.#lines) this.#sendLines(this.#lines)
    this.#inputEnded = true
    if (this.#endsAtOnce) this.#socket.end()
    // WebSocket has no half-close: after our close frame a server need not answer any more.
    else if (!this.#hasBounds) this.#timer = setTimeout(() => this.#onSilence(), this.#timeoutMs)
    this.#endIfComplete()
  }

  #stopWaiting() {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /**
   * Called after a time without a received byte. The connection is not idle while bytes still
   * leave, or while stdout is blocked.
   */
  #onSilence() {
    if (this.#socket.writableLength > 0 || this.#socket.isPaused()) this.#timer!.refresh()
    else {
      this.#timedOut = true
      this.#socket.end()
    }
  }

  #onMessage(message: Buffer | string) {
    if (!this.#lines) return this.#onReply(Buffer.from(message as string))
    if (typeof message !== 'string')
      return this.#end('a message of text came back as a binary one.')
    const bytes = Buffer.from(`${message}\n`)
    const isLast = this.#inputEnded && bytes.length > this.#expected.missingBytes
    this.#onReply(isLast && !this.#hasLastNewline ? bytes.subarray(0, -1) : bytes)
  }

  #onReply(chunk: Buffer) {
    const before = this.#expected.returnedBytes
    const wrongAt = this.#expected.firstWrong(chunk)
    if (!process.stdout.write(this.#shown(chunk, before))) this.#socket.pause()
    if (wrongAt !== -1) return this.#endWrong(chunk, wrongAt)
    countGarbage(chunk.length)
    if (!this.#timedOut) this.#timer?.refresh()
    this.#readOn()
    this.#endIfComplete()
  }

  /** Received bytes for stdout: unchanged for a file or a pipe, escaped for a terminal. */
  #shown(chunk: Buffer, offset: number): Buffer | string {
    if (this.#hex) return `${hexDump(chunk, offset)}\n`
    return process.stdout.isTTY ? printable(chunk, { keepLines: true }) : chunk
  }

  #endIfComplete() {
    if (!this.#inputEnded || this.#expected.missingBytes > 0) return
    this.#stopWaiting()
    this.#socket.end()
    if (this.#socket.readableEnded) this.#end('')
    else this.#grace ??= setTimeout(() => this.#end(''), graceMs)
  }

  #onReplyEnd() {
    if (this.#inputEnded && this.#expected.missingBytes === 0) return this.#end('')
    const account = this.#account()
    const early = this.#inputEnded ? '' : ' while there was still input'
    this.#end(`the server finished${early}: ${account}${this.#afterSilence()}${this.#aboutHttp()}`)
  }

  /**
   * A hint if FIN was sent after a silence: a server that closes at FIN may have dropped the rest.
   */
  #afterSilence(): string {
    if (!this.#timedOut) return ''
    const silence = formatDuration(this.#timeoutMs)
    return ` Nothing came for ${silence}, so FIN was sent; \`--timeout\` says how long to wait.`
  }

  /** The status of the answer, if it was not shown already, and a hint about large bodies. */
  #aboutHttp(): string {
    if (!this.#isHttp) return ''
    const { version, status, reason } = this.#answer ?? {}
    const line = printable(`HTTP/${version} ${status} ${reason}`.trimEnd())
    const begun = status === 200 ? ` It had begun to answer: ${line}.` : ''
    return this.#expected.sentBytes < largeBytes ? begun : `${begun} ${proxyHint}`
  }

  #endWrong(chunk: Buffer, at: number) {
    const { next, returnedBytes, sentBytes } = this.#expected
    const got = `0x${chunk[at]!.toString(16).padStart(2, '0')}`
    this.#end(
      next === undefined
        ? `more came back than was sent: ${plural(sentBytes, 'byte')} sent, then ${got}.`
        : `wrong byte at offset ${formatCount(returnedBytes)}: ` +
            `sent 0x${next.toString(16).padStart(2, '0')}, got ${got}.`,
    )
  }

  #account() {
    const { sentBytes, returnedBytes, missingBytes } = this.#expected
    return (
      `${plural(sentBytes, 'byte')} sent, ${formatCount(returnedBytes)} came back, ` +
      `${formatCount(missingBytes)} missing.`
    )
  }

  interrupt(): void {
    this.#finish({ exitCode: exitCodes.interrupted, message: `interrupted: ${this.#account()}` })
  }

  #end(message: string) {
    const exitCode = message === '' ? exitCodes.done : exitCodes.failed
    this.#finish({ exitCode, message })
  }

  #finish(talked: Talked) {
    this.#stopWaiting()
    clearTimeout(this.#grace)
    process.stdin.destroy()
    this.#settle(talked)
  }
}
