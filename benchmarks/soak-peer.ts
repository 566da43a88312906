/** One client of a soak. Nothing is stored: what must come back can be computed. */
import { createCipheriv, createHash } from 'node:crypto'
import { connect, type NetConnectOpts, type Socket } from 'node:net'

export const chunkMaxBytes = 2 ** 20
const zeros = Buffer.alloc(chunkMaxBytes)

/** The next so many bytes of a connection. AES in counter mode: a shift or a swap shows at once. */
export function streamOf(seed: number, connection: number): (bytes: number) => Buffer {
  const key = createHash('sha256').update(`yodel soak ${seed}`).digest().subarray(0, 16)
  const start = Buffer.alloc(16)
  start.writeUInt32BE(connection, 0)
  const cipher = createCipheriv('aes-128-ctr', key, start)
  return bytes => cipher.update(zeros.subarray(0, bytes))
}

export interface PeerOptions {
  /** Does not read before resume(). */
  paused?: boolean
  /** How much it reads at a time. */
  readBytes?: number
  /** Reads again only so many milliseconds after it has read. */
  restMs?: number
}

export interface Totals {
  connections: number
  verifiedBytes: number
  /** Connections that we broke: by RST, or closed with data unread, which amounts to one. */
  broken: number
}

export class Peer {
  sent = 0
  received = 0
  /** The server's FIN has come. */
  ended = false
  /** Why it is of no use any more: the name of an error, or what was wrong. */
  broken: string | undefined
  readonly #socket: Socket
  readonly #outgoing: (bytes: number) => Buffer
  readonly #incoming: (bytes: number) => Buffer
  readonly #totals: Totals
  readonly #isUnix: boolean
  #connected = false
  #closed = false
  /** The waits for a change. */
  #wake: (() => void)[] = []

  constructor(
    where: NetConnectOpts,
    seed: number,
    number: number,
    totals: Totals,
    options: PeerOptions,
  ) {
    this.#isUnix = 'path' in where
    const { paused, readBytes = 65_536, restMs } = options
    this.#outgoing = streamOf(seed, number)
    this.#incoming = streamOf(seed, number)
    this.#totals = totals
    totals.connections++
    const callback = (length: number, bytes: Uint8Array) => {
      this.#verify(Buffer.from(bytes.buffer, bytes.byteOffset, length))
      if (restMs === undefined) return true
      setTimeout(() => this.#socket.resume(), restMs)
      return false
    }
    const onread = { buffer: Buffer.allocUnsafe(readBytes), callback }
    const socket = connect({ ...where, allowHalfOpen: true, noDelay: true, onread })
    this.#socket = socket
    if (paused) socket.pause()
    socket.on('connect', () => (this.#connected = true))
    socket.on('end', () => (this.ended = true))
    socket.on('close', () => (this.#closed = true))
    for (const event of ['connect', 'drain', 'end', 'close']) socket.on(event, () => this.#moved())
    socket.on('error', (error: NodeJS.ErrnoException) => this.#break(error.code ?? error.message))
  }

  #moved(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  #break(why: string): void {
    this.broken ??= why
    this.#moved()
  }

  #verify(bytes: Buffer): void {
    if (this.broken !== undefined) return
    for (let at = 0; at < bytes.length; at += chunkMaxBytes) {
      const part = bytes.subarray(at, at + chunkMaxBytes)
      const right = this.#incoming(part.length)
      if (!part.equals(right)) {
        let wrong = 0
        while (part[wrong] === right[wrong]) wrong++
        const hex = (of: Buffer) => of.subarray(wrong, wrong + 16).toString('hex')
        this.#break(`byte ${this.received + wrong} is wrong: ${hex(part)} for ${hex(right)}`)
        this.#socket.destroy()
        return
      }
      this.received += part.length
      this.#totals.verifiedBytes += part.length
    }
    // More than was sent can be right only by accident.
    if (this.received > this.sent) this.#break('more came back than was sent')
    this.#moved()
  }

  /**
   * Waits until it holds, or for so long; whether it holds.
   * @throws if the server breaks the connection, or says FIN before we did
   */
  async until(holds: () => boolean, withinMs?: number): Promise<boolean> {
    const deadlineMs = withinMs === undefined ? Infinity : performance.now() + withinMs
    for (;;) {
      if (this.broken !== undefined) throw new Error(this.broken)
      if (holds()) return true
      if (this.ended && !this.#socket.writableEnded) throw new Error('FIN came before ours')
      if (this.#closed) throw new Error('closed without FIN')
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) return false
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#wake.push(resolve)
        if (leftMs < Infinity) timer = setTimeout(resolve, leftMs)
      })
      clearTimeout(timer)
    }
  }

  connected(): Promise<boolean> {
    return this.until(() => this.#connected)
  }

  /** Sends without waiting; whether the system took it all. */
  push(bytes: number): boolean {
    this.sent += bytes
    return this.#socket.write(this.#outgoing(bytes))
  }

  /** Sends, and waits until the system has taken it. */
  async send(bytes: number): Promise<void> {
    if (!this.push(bytes)) await this.until(() => !this.#socket.writableNeedDrain)
  }

  /** Whether the system has taken all within that time. */
  drained(withinMs: number): Promise<boolean> {
    return this.until(() => !this.#socket.writableNeedDrain, withinMs)
  }

  /** Waits until everything that was sent has come back. */
  caughtUp(): Promise<boolean> {
    return this.until(() => this.received === this.sent)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /**
   * Says FIN; all that was sent must come back, and then FIN and nothing else. (libuv may report
   * a RST behind the last piece that it has read as if it were FIN: what is missing gives it away.)
   */
  async finish(): Promise<void> {
    if (this.ended && !this.#socket.writableEnded) throw new Error('FIN came before ours')
    this.fin()
    await this.until(() => this.ended)
    if (this.received !== this.sent) throw new Error('FIN came before the last byte')
    await this.until(() => this.#closed)
  }

  /** FIN behind what was sent; we go on to read. */
  fin(): void {
    this.#socket.end()
  }

  /** A unix socket has no RST. */
  reset(): void {
    this.#totals.broken++
    if (this.#isUnix) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  /** Closes it, whatever is unread; harmless after the end. */
  destroy(): void {
    if (!this.#socket.destroyed) this.#totals.broken++
    this.#socket.destroy()
  }

  /** From outside: it has not moved for too long. */
  giveUp(why: string): void {
    this.#break(why)
    this.destroy()
  }

  get progress(): number {
    return this.sent + this.received + Number(this.#connected) + Number(this.ended)
  }

  get state(): string {
    const ours = this.#socket.writableEnded ? ', FIN sent' : ''
    const theirs = this.ended ? ', FIN came' : ''
    return `sent ${this.sent}, received ${this.received}${ours}${theirs}`
  }
}
