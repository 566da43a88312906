/** connect at a terminal, over udp: each line is a datagram, and a lost one is shown as lost. */
import { clearLine, createInterface, cursorTo, type Interface } from 'node:readline'
import type { Connection } from '../connect.ts'
import { formatAddress } from '../vocabulary/address.ts'
import { errnoOf } from '../engines/failures.ts'
import { Awaited } from '../load/awaited.ts'
import { hexDump, printable } from '../vocabulary/text.ts'
import { formatCount, formatDuration, plural } from '../vocabulary/units.ts'
import { exitCodes, type Talked } from './exit.ts'
import { onInterrupt } from './output.ts'
import { keepTerminal } from './terminal.ts'

export async function talkByDatagramPrompt(
  connection: Connection,
  { hex, timeoutMs }: { hex: boolean; timeoutMs: number },
): Promise<Talked> {
  // Set before the prompt is shown: from then on a signal ends the conversation.
  const restore = onInterrupt(() => prompt.interrupt())
  const prompt = new DatagramPrompt(connection, hex, timeoutMs)
  const talked = await prompt.talked
  restore()
  await connection.close()
  return talked
}

class DatagramPrompt {
  readonly talked: Promise<Talked>
  readonly #connection: Connection
  readonly #hex: boolean
  readonly #timeoutMs: number
  readonly #awaited: Awaited
  readonly #readline: Interface
  readonly #latenciesMs: number[] = []
  #strangeCount = 0
  #inputEnded = false
  #timer: NodeJS.Timeout | undefined
  #settle!: (talked: Talked) => void

  constructor(connection: Connection, hex: boolean, timeoutMs: number) {
    this.#connection = connection
    this.#hex = hex
    this.#timeoutMs = timeoutMs
    this.#awaited = new Awaited(timeoutMs)
    this.talked = new Promise(resolve => (this.#settle = resolve))
    const { stdin: input, stdout: output } = process
    const url = formatAddress(connection.address)
    output.write(`Each line is a datagram to ${url}; Ctrl-D ends.\n`)
    this.#readline = createInterface({ input, output, prompt: '> ', historySize: 1000 })
    keepTerminal(this.#readline)
    this.#readline.on('line', line => this.#onLine(line))
    this.#readline.on('close', () => this.#onInputEnd())
    this.#readline.on('SIGINT', () => this.interrupt())
    const { stream } = connection
    stream.on('data', (data: Buffer) => this.#onReply(data))
    stream.on('unreachable', () =>
      this.#show('! no server listens there (the other side said so: ICMP port unreachable)'),
    )
    stream.on('error', error => {
      this.#finish(exitCodes.failed, `${errnoOf(error) || error.message}; ${this.#summary()}`)
    })
    this.#readline.prompt()
  }

  #onLine(text: string) {
    const line = Buffer.from(`${text}\n`)
    this.#awaited.send(line, performance.now())
    this.#connection.stream.write(line)
    this.#watch()
    this.#readline.prompt()
  }

  /** Called again when the oldest datagram times out. */
  #watch() {
    const { nextLostAtMs } = this.#awaited
    if (this.#timer || nextLostAtMs === Infinity) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        const within = formatDuration(this.#timeoutMs)
        for (const { data } of this.#awaited.expire(performance.now()))
          this.#show(`! lost: ${this.#text(data)} (not back within ${within})`)
        this.#watch()
        this.#endIfDone()
      },
      Math.max(1, Math.ceil(nextLostAtMs - performance.now())),
    )
  }

  #onReply(data: Buffer) {
    const arrival = this.#awaited.arrived(data)
    if (!arrival) {
      this.#strangeCount++
      this.#show(`! what was not sent, ${plural(data.length, 'byte')}:`)
      return this.#show(`? ${this.#text(data)}`)
    }
    const latencyMs = performance.now() - arrival.sent.sentAtMs
    const took = formatDuration(latencyMs)
    if (arrival.how === 'back') this.#latenciesMs.push(latencyMs)
    const how = { back: took, late: `${took}: too late`, again: 'once more' }[arrival.how]
    this.#show(`< ${this.#text(data)}  ${how}`)
    this.#endIfDone()
  }

  #text(data: Buffer): string {
    if (this.#hex) return `\n${hexDump(data)}`
    return printable(data.at(-1) === 0x0a ? data.subarray(0, -1) : data)
  }

  /** Prints above the prompt, which keeps the input typed so far. */
  #show(text: string) {
    const { stdout } = process
    cursorTo(stdout, 0)
    clearLine(stdout, 0)
    stdout.write(`${text}\n`)
    if (!this.#inputEnded) this.#readline.prompt(true)
  }

  #onInputEnd() {
    if (this.#inputEnded) return
    this.#inputEnded = true
    process.stdout.write('\n')
    this.#endIfDone()
  }

  #endIfDone() {
    if (!this.#inputEnded || this.#awaited.count > 0) return
    const well = this.#awaited.lostCount === 0 && this.#strangeCount === 0
    this.#finish(well ? exitCodes.done : exitCodes.failed, this.#summary())
  }

  #summary(): string {
    const { sentCount, backCount, lostCount, lateCount, againCount } = this.#awaited
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    const minMedianMax = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)]
    const times = () => minMedianMax.map(ms => formatDuration(ms!)).join(' / ')
    const counts: [number, string][] = [
      [lostCount, 'lost'],
      [lateCount, 'of them too late'],
      [againCount, 'came once more'],
      [this.#strangeCount, 'came that were not sent'],
    ]
    return [
      plural(sentCount, 'datagram'),
      backCount === sentCount ? 'all came back' : `${formatCount(backCount)} came back`,
      ...counts.filter(([n]) => n > 0).map(([n, words]) => `${formatCount(n)} ${words}`),
    ]
      .join(', ')
      .concat(sorted.length > 0 ? `; round trip ${times()} (min / median / max)` : '')
  }

  interrupt(): void {
    this.#finish(exitCodes.interrupted, `interrupted; ${this.#summary()}`)
  }

  #finish(exitCode: number, message: string) {
    clearTimeout(this.#timer)
    // The summary must not stand on the line of the prompt.
    if (!this.#inputEnded) process.stdout.write('\n')
    this.#inputEnded = true
    this.#readline.close()
    this.#settle({ exitCode, message })
  }
}
