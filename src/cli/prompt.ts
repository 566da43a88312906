/** connect at a terminal: each line goes out with its newline, and its echo is shown and timed. */
import { clearLine, createInterface, cursorTo, type Interface } from 'node:readline'
import type { Connection } from '../connect.ts'
import { formatAddress } from '../vocabulary/address.ts'
import { explainBreak } from '../engines/failures.ts'
import { ExpectedBytes } from '../load/expected-bytes.ts'
import { hasText, transports } from '../vocabulary/transport.ts'
import { hexDump, printable } from '../vocabulary/text.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { exitCodes, type Talked } from './exit.ts'
import { onInterrupt } from './output.ts'
import { keepTerminal } from './terminal.ts'

/** A line that was sent and has not come back whole. */
interface Line {
  /** The offset in the stream at which the echo of the line is complete. */
  endBytes: number
  sentAtMs: number
}

export async function talkByPrompt(connection: Connection, hex: boolean): Promise<Talked> {
  // At the prompt Ctrl-C is a key; once the prompt has ended it is a signal, like any SIGTERM. Set
  // before the prompt is shown: from then on a signal ends the conversation.
  const restore = onInterrupt(() => prompt.interrupt())
  const prompt = new Prompt(connection, hex)
  const talked = await prompt.talked
  restore()
  await connection.close()
  return talked
}

class Prompt {
  readonly talked: Promise<Talked>
  readonly #connection: Connection
  readonly #hex: boolean
  /** Each line is a message of its own, without its newline. */
  readonly #hasBounds: boolean
  /** A message of text must come back as text. */
  readonly #hasKinds: boolean
  readonly #readline: Interface
  readonly #expected = new ExpectedBytes()
  readonly #lines: Line[] = []
  /** The bytes received of the line whose echo is not complete yet. */
  #partial: Buffer[] = []
  readonly #latenciesMs: number[] = []
  #wrong = false
  #inputEnded = false
  #settle!: (talked: Talked) => void

  constructor(connection: Connection, hex: boolean) {
    this.#connection = connection
    this.#hex = hex
    this.#hasKinds = hasText(connection.address)
    this.#hasBounds = transports[connection.address.transport].carries === 'messages'
    this.talked = new Promise(resolve => (this.#settle = resolve))
    const { stdin: input, stdout: output } = process
    output.write(`${formatAddress(connection.address)} is connected; Ctrl-D ends.\n`)
    this.#readline = createInterface({ input, output, prompt: '> ', historySize: 1000 })
    keepTerminal(this.#readline)
    this.#readline.on('line', line => this.#onLine(line))
    this.#readline.on('close', () => this.#onInputEnd())
    this.#readline.on('SIGINT', () => this.interrupt())
    const { stream: socket } = connection
    socket.on('data', (chunk: Buffer | string) => this.#onReply(chunk))
    socket.on('end', () => this.#onReplyEnd())
    socket.on('error', error => this.#onBreak(error))
    socket.on('close', () => this.#onReplyEnd())
    this.#readline.prompt()
    // The connection may have broken before this listener was added.
    if (socket.errored) this.#onBreak(socket.errored)
    else if (socket.closed) this.#onReplyEnd()
  }

  #onBreak(error: Error) {
    const { broke, hint } = explainBreak(error)
    this.#finish(exitCodes.failed, `${broke}; ${this.#summary()}. ${hint}`.replace(/\. $/, ''))
  }

  #onLine(text: string) {
    const line = this.#hasBounds ? text : `${text}\n`
    this.#expected.sent(Buffer.from(line))
    this.#lines.push({ endBytes: this.#expected.sentBytes, sentAtMs: performance.now() })
    this.#connection.stream.write(line)
    this.#readline.prompt()
  }

  #onInputEnd() {
    if (this.#inputEnded) return
    this.#inputEnded = true
    process.stdout.write('\n')
    // After our close frame a server need not answer any more.
    if (!this.#hasBounds) this.#connection.end()
    if (this.#complete) this.#onReplyEnd()
  }

  #onReply(data: Buffer | string) {
    const chunk = Buffer.from(data as string)
    const nowMs = performance.now()
    const before = this.#expected.returnedBytes
    const whole = this.#lines[0]?.endBytes === before + chunk.length
    const fits = !this.#hasBounds || (whole && (typeof data === 'string' || !this.#hasKinds))
    const wrongAt = this.#wrong || !fits ? 0 : this.#expected.firstWrong(chunk)
    const right = wrongAt === -1 ? chunk : chunk.subarray(0, wrongAt)
    if (wrongAt !== 0) this.#showRight(right, before, nowMs)
    if (wrongAt !== -1) this.#showWrong(chunk.subarray(wrongAt), fits)
    if (this.#inputEnded && this.#complete) this.#onReplyEnd()
  }

  /**
   * Whether the echo of the oldest line is complete. (A message may be empty; its echo is still
   * awaited.)
   */
  get #complete(): boolean {
    return this.#expected.missingBytes === 0 && (this.#wrong || this.#lines.length === 0)
  }

  /** Splits the received bytes into the lines that were sent. */
  #showRight(bytes: Buffer, offset: number, nowMs: number) {
    let rest = bytes
    let at = offset
    do {
      const { endBytes, sentAtMs } = this.#lines[0]!
      const part = rest.subarray(0, endBytes - at)
      rest = rest.subarray(part.length)
      at += part.length
      this.#partial.push(part)
      if (at < endBytes) return
      const latencyMs = nowMs - sentAtMs
      this.#latenciesMs.push(latencyMs)
      this.#show(`< ${this.#text(Buffer.concat(this.#partial))}  ${formatDuration(latencyMs)}`)
      this.#partial = []
      this.#lines.shift()
    } while (rest.length > 0)
  }

  #showWrong(bytes: Buffer, fits: boolean) {
    const { next, returnedBytes } = this.#expected
    if (!this.#wrong) {
      this.#show(
        !fits && next !== undefined
          ? '! not the message that was sent, or not as text; from here on, as it comes:'
          : next === undefined
            ? '! more came back than was sent; from here on, as it comes:'
            : `! wrong byte at offset ${returnedBytes}; from here on, as it comes:`,
      )
    }
    this.#wrong = true
    this.#show(`? ${this.#text(bytes)}`)
  }

  #text(bytes: Buffer): string {
    if (this.#hex) return `\n${hexDump(bytes)}`
    return printable(bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes)
  }

  /** Prints above the prompt, which keeps the input typed so far. */
  #show(text: string) {
    const { stdout } = process
    cursorTo(stdout, 0)
    clearLine(stdout, 0)
    stdout.write(`${text}\n`)
    if (!this.#inputEnded) this.#readline.prompt(true)
  }

  #onReplyEnd() {
    const complete = !this.#wrong && this.#complete
    const who = this.#inputEnded ? '' : 'the server closed the connection; '
    this.#finish(complete ? exitCodes.done : exitCodes.failed, `${who}${this.#summary()}`)
  }

  #summary(): string {
    const { sentBytes, missingBytes } = this.#expected
    const count = this.#latenciesMs.length
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    const minMedianMax = [sorted[0], sorted[count >> 1], sorted[count - 1]]
    const times = () => minMedianMax.map(ms => formatDuration(ms!)).join(' / ')
    const roundTrips = count === 0 ? '' : `; round trip ${times()} (min / median / max)`
    const verdict = this.#wrong
      ? 'wrong bytes came back'
      : missingBytes > 0
        ? `${plural(missingBytes, 'byte')} missing`
        : 'all came back'
    return `${plural(count, 'line')}, ${plural(sentBytes, 'byte')}, ${verdict}${roundTrips}`
  }

  interrupt(): void {
    this.#finish(exitCodes.interrupted, `interrupted; ${this.#summary()}`)
  }

  #finish(exitCode: number, message: string) {
    // The summary must not stand on the line of the prompt.
    if (!this.#inputEnded) process.stdout.write('\n')
    this.#inputEnded = true
    this.#readline.close()
    this.#settle({ exitCode, message })
  }
}
