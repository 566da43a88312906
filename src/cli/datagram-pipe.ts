/** connect in a pipe, over udp: stdin goes out in datagrams, and what returns goes to stdout. */
import type { Connection } from '../connect.ts'
import { formatAddress } from '../vocabulary/address.ts'
import { errnoOf, explain } from '../engines/failures.ts'
import { Awaited, type SentMessage } from '../load/awaited.ts'
import { hexDump, printable } from '../vocabulary/text.ts'
import { formatCount, formatDuration, plural } from '../vocabulary/units.ts'
import { exitCodes, type Talked } from './exit.ts'
import { onInterrupt } from './output.ts'

/**
 * The longest datagram. It fits into a frame of Ethernet, even with IPv6 and a tunnel or two, so it
 * is not fragmented.
 */
const datagramMaxBytes = 1_400
/** The most datagrams in flight: they fit into the socket buffer of an ordinary system. */
const inFlightMax = 64

/** Ends when stdin has ended and each datagram has come back or is lost. */
export async function talkByDatagramPipe(
  connection: Connection,
  { hex, timeoutMs }: { hex: boolean; timeoutMs: number },
): Promise<Talked> {
  const pipe = new DatagramPipe(connection, hex, timeoutMs)
  const restore = onInterrupt(() => pipe.interrupt())
  const talked = await pipe.talked
  restore()
  await connection.close()
  return talked
}

class DatagramPipe {
  readonly talked: Promise<Talked>
  readonly #connection: Connection
  readonly #hex: boolean
  readonly #timeoutMs: number
  readonly #awaited: Awaited
  /** Bytes of stdin that are not sent yet: one chunk at most. */
  #unsent: Buffer = Buffer.alloc(0)
  /** Datagrams that were sent, and are not written to stdout yet, in order. */
  readonly #unwritten: SentMessage[] = []
  #writtenBytes = 0
  #inputEnded = false
  #timer: NodeJS.Timeout | undefined
  #settle!: (talked: Talked) => void

  constructor(connection: Connection, hex: boolean, timeoutMs: number) {
    this.#connection = connection
    this.#hex = hex
    this.#timeoutMs = timeoutMs
    this.#awaited = new Awaited(timeoutMs)
    this.talked = new Promise(resolve => (this.#settle = resolve))
    const { stdin, stdout } = process
    stdin.on('data', (chunk: Buffer) => {
      stdin.pause()
      this.#unsent = chunk
      this.#send()
    })
    stdin.on('end', () => {
      this.#inputEnded = true
      this.#send()
    })
    stdin.on('error', error => this.#fail(`cannot read stdin: ${error.message}`))
    stdout.on('drain', () => this.#send())
    stdout.on('error', error => {
      const gone = errnoOf(error) === 'EPIPE'
      this.#fail(gone ? 'the reader of stdout is gone.' : `cannot write: ${error.message}`)
    })
    const { stream } = connection
    stream.on('data', (data: Buffer) => this.#onReply(data))
    const onError = (error: Error) => {
      const { message } = explain('connect to', connection.address, error)
      const isThere = errnoOf(error) !== 'ECONNREFUSED' || this.#awaited.backCount > 0
      const exitCode = isThere ? exitCodes.failed : exitCodes.network
      this.#finish({ exitCode, message: `${message} ${this.#account()}` })
    }
    stream.on('error', onError).on('unreachable', onError)
  }

  #send() {
    const awaited = this.#awaited
    while (this.#unsent.length > 0 && awaited.count < inFlightMax) {
      if (process.stdout.writableNeedDrain) return
      const data = this.#unsent.subarray(0, datagramMaxBytes)
      this.#unsent = this.#unsent.subarray(data.length)
      this.#unwritten.push(awaited.send(data, performance.now()))
      this.#connection.stream.write(data)
    }
    if (this.#unsent.length === 0 && !this.#inputEnded) process.stdin.resume()
    this.#watch()
    this.#endIfDone()
  }

  /** Called again when the oldest datagram times out. */
  #watch() {
    const { nextLostAtMs } = this.#awaited
    if (this.#timer || nextLostAtMs === Infinity) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#awaited.expire(performance.now())
        this.#write()
        this.#send()
      },
      Math.max(1, Math.ceil(nextLostAtMs - performance.now())),
    )
  }

  #onReply(data: Buffer) {
    const arrival = this.#awaited.arrived(data)
    if (!arrival) {
      const what = `a datagram of ${plural(data.length, 'byte')} came that was not sent`
      return this.#fail(`${what}. ${this.#account()}`)
    }
    if (arrival.how !== 'back') return
    this.#write()
    this.#send()
  }

  /** Writes answers to stdout in the order of sending, without lost datagrams. */
  #write() {
    const unwritten = this.#unwritten
    while (unwritten.length > 0 && unwritten[0]!.outcome !== 'awaited') {
      const { data, outcome } = unwritten.shift()!
      if (outcome === 'back') process.stdout.write(this.#shown(data))
      this.#writtenBytes += data.length
    }
  }

  /** Received bytes for stdout: unchanged for a file or a pipe, escaped for a terminal. */
  #shown(data: Buffer): Buffer | string {
    if (this.#hex) return `${hexDump(data, this.#writtenBytes)}\n`
    return process.stdout.isTTY ? printable(data, { keepLines: true }) : data
  }

  #endIfDone() {
    const { count, lostCount } = this.#awaited
    if (!this.#inputEnded || this.#unsent.length > 0 || count > 0) return
    if (lostCount === 0) this.#finish({ exitCode: exitCodes.done, message: '' })
    else this.#fail(this.#account())
  }

  #account(): string {
    const { sentCount, sentBytes, backCount, lostCount, lostBytes, lateCount } = this.#awaited
    const late = lateCount > 0 ? `; ${formatCount(lateCount)} of them came later` : ''
    const lost =
      lostCount === 0
        ? ''
        : `, ${formatCount(lostCount)} lost (${plural(lostBytes, 'byte')}): ` +
          `not back within ${formatDuration(this.#timeoutMs)}${late}`
    return (
      `${plural(sentCount, 'datagram')} sent to ${formatAddress(this.#connection.address)} ` +
      `(${plural(sentBytes, 'byte')}), ${formatCount(backCount)} came back${lost}.`
    )
  }

  interrupt(): void {
    this.#finish({ exitCode: exitCodes.interrupted, message: `interrupted: ${this.#account()}` })
  }

  #fail(message: string) {
    this.#finish({ exitCode: exitCodes.failed, message })
  }

  #finish(talked: Talked) {
    clearTimeout(this.#timer)
    process.stdin.destroy()
    this.#settle(talked)
  }
}
