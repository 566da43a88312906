/** connect(address): one connection, to send messages by hand. */
import type { Duplex } from 'node:stream'
import { formatAddress, toOwnAddress, type Address } from './vocabulary/address.ts'
import { answerTimeoutMs, echoDatagram } from './connect/datagram-echo.ts'
import { dial, type Link } from './engines/node/index.ts'
import { checkCalling } from './wire/tls/credentials.ts'
import { callingOptions } from './options/calling.ts'
import {
  validateOptions,
  defaultsOf,
  group,
  option,
  resolve,
  type OptionsOf,
} from './options/form.ts'
import { duration } from './options/kinds.ts'
import { askedFor, checkTransport } from './options/where.ts'
import { isDatagrams } from './vocabulary/transport.ts'

export const connectOptions = {
  /** How long to wait for the connection to be established; with udp, for an echo (1 s). */
  timeoutMs: option(duration({ zero: false }), {
    default: 10_000,
    flag: 'timeout',
    help:
      'time limit for connecting; in a pipe, also for silence before FIN is sent; http: also for ' +
      'an answer; udp: for an echo',
    defaultText: '10s; udp: 1s',
  }),
  /** What to send before the first message. */
  calling: group(callingOptions),
}
/**
 * The options of connect().
 * @interface
 */
export type ConnectOptions = OptionsOf<typeof connectOptions>
export const connectDefaults = defaultsOf(connectOptions)

/** A connection. Iterate over it to get the bytes as they arrive, until the server has finished. */
export interface Connection extends AsyncDisposable, AsyncIterable<Uint8Array> {
  /** The address of the server. */
  readonly address: Address
  /** Sends; resolves when the stream has room for more (backpressure). */
  write(data: Uint8Array | string): Promise<void>
  /**
   * Sends a message and waits until as many bytes have come back.
   * @throws Error if other bytes come back, or the connection ends first; with udp, if nothing
   * comes
   */
  echo(message: Uint8Array | string): Promise<Echo>
  /** Half-closes: sends FIN, and goes on receiving. */
  end(): void
  /** Closes the connection. */
  close(): Promise<void>
  /** What both sides agreed on, a line each, for people: protocol, cipher, certificate. */
  readonly details: readonly string[]
  /** The round trip of a ping, in milliseconds, where the transport has pings (ws, wss). */
  readonly ping?: (() => Promise<number>) | undefined
  /**
   * The stream below, for everything that has no method here: a net.Socket on transports of bytes.
   * On transports of messages each write is a message, and so is each chunk; text is a string.
   */
  readonly stream: Duplex
}

export interface Echo {
  reply: Uint8Array
  /** The round trip, in microseconds. */
  latencyUs: number
}

/**
 * Connects, and resolves once the connection is established.
 * @throws UserError if no server answers
 */
export function connect(
  address: string | Address,
  options: ConnectOptions = {},
): Promise<Connection> {
  return connectUntil(address, options)
}

/** Like connect(), but a signal can end it while it connects. */
export async function connectUntil(
  address: string | Address,
  options: ConnectOptions,
  signal?: AbortSignal,
): Promise<Connection> {
  validateOptions(connectOptions, options)
  const { timeoutMs, calling } = resolve(connectOptions, options)
  const target = { address: toOwnAddress(address), calling }
  checkTransport(askedFor(connectOptions, options), target.address.transport, 'client')
  checkCalling(calling)
  const link = await dial(target, timeoutMs, signal)
  if (!isDatagrams(target.address)) return new LinkConnection(target.address, link)
  return new DatagramConnection(target.address, link, options.timeoutMs ?? answerTimeoutMs)
}

class LinkConnection implements Connection {
  readonly address: Address
  readonly stream: Duplex
  readonly details: readonly string[]
  readonly ping: (() => Promise<number>) | undefined

  constructor(address: Address, { stream, details, ping }: Link) {
    this.address = address
    this.stream = stream
    this.details = details
    this.ping = ping
    // Failures reach the caller by a read or a write; without a listener they would end the
    // process.
    stream.on('error', () => {})
  }

  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(data, error => (error ? reject(error) : resolve()))
    })
  }

  async echo(message: Uint8Array | string): Promise<Echo> {
    const sent = Buffer.from(message as string)
    const startedMs = performance.now()
    // Reads and writes at the same time: an echo server stops reading if its echo is not read.
    const [reply] = await Promise.all([this.#read(sent.length), this.write(message)])
    const latencyUs = (performance.now() - startedMs) * 1e3
    if (!reply.equals(sent)) throw new Error(`${formatAddress(this.address)} sent other bytes back`)
    return { reply, latencyUs }
  }

  async #read(bytes: number): Promise<Buffer> {
    const { stream } = this
    const chunks: Buffer[] = []
    for (let missing = bytes; missing > 0;) {
      const chunk = read(stream)
      if (chunk) {
        chunks.push(chunk.subarray(0, missing))
        if (chunk.length > missing) stream.unshift(chunk.subarray(missing))
        missing -= Math.min(missing, chunk.length)
      } else if (stream.readableEnded || stream.destroyed) {
        throw new Error(`${formatAddress(this.address)} closed the connection during an echo`)
      } else {
        await readable(stream)
      }
    }
    return Buffer.concat(chunks)
  }

  end(): void {
    this.stream.end()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const chunk of this.stream.iterator({ destroyOnReturn: false }))
      yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array)
  }

  async close(): Promise<void> {
    if (this.stream.closed) return
    const closed = new Promise(resolve => this.stream.once('close', resolve))
    this.stream.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

class DatagramConnection extends LinkConnection {
  readonly #timeoutMs: number

  constructor(address: Address, link: Link, timeoutMs: number) {
    super(address, link)
    this.#timeoutMs = timeoutMs
  }

  override async echo(message: Uint8Array | string): Promise<Echo> {
    const sent = Buffer.from(message as string)
    const startedMs = performance.now()
    const reply = await echoDatagram(this.stream, this.address, sent, this.#timeoutMs)
    return { reply, latencyUs: (performance.now() - startedMs) * 1e3 }
  }
}

/** All bytes that can be read now; text as its bytes (UTF-8). */
function read(stream: Duplex): Buffer | null {
  const chunk = stream.read() as Buffer | string | null
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** Resolves on the next event that may make bytes readable. */
function readable(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close'] as const
    const settle = (error?: Error) => {
      for (const event of events) stream.off(event, done)
      stream.off('error', settle)
      if (error) reject(error)
      else resolve()
    }
    const done = () => settle()
    for (const event of events) stream.on(event, done)
    stream.on('error', settle)
  })
}
