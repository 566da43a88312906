/** connect(address): one connection, to talk over by hand. */
import type { Socket } from 'node:net'
import { formatAddress, toAddress, type Address } from './address.ts'
import { dial } from './engines/node/dial.ts'
import { withDefaults } from './options.ts'

export interface ConnectOptions {
  /** How long to wait for the connection to be established. */
  timeoutMs?: number
}

export const connectDefaults: Required<ConnectOptions> = { timeoutMs: 10_000 }

/** Iterate over it to get what arrives, as it arrives, until the other side has finished. */
export interface Connection extends AsyncDisposable, AsyncIterable<Uint8Array> {
  /** Whom we talk to. */
  readonly address: Address
  /** Sends; resolves when more may be written without piling up memory. */
  write(data: Uint8Array | string): Promise<void>
  /**
   * Sends a message and waits until as many bytes have come back.
   * @throws Error if other bytes come back, or the connection ends first
   */
  echo(message: Uint8Array | string): Promise<Echo>
  /** Half-closes: no more from us, and the other side goes on. */
  end(): void
  /** Hangs up. */
  close(): Promise<void>
  /** Below it all, for options that have no name here. */
  readonly socket: Socket
}

export interface Echo {
  reply: Uint8Array
  /** The round trip, in microseconds. */
  latencyUs: number
}

/**
 * Connects, and resolves once the connection is established.
 * @throws UserError if nobody answers
 */
export async function connect(
  address: string | Address,
  options: ConnectOptions = {},
): Promise<Connection> {
  const { timeoutMs } = withDefaults(connectDefaults, options)
  const target = toAddress(address)
  return new SocketConnection(target, await dial(target, timeoutMs))
}

class SocketConnection implements Connection {
  readonly address: Address
  readonly socket: Socket

  constructor(address: Address, socket: Socket) {
    this.address = address
    this.socket = socket
    // Failures reach whoever reads or writes; without a listener they would end the process.
    socket.on('error', () => {})
  }

  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(data, error => (error ? reject(error) : resolve()))
    })
  }

  async echo(message: Uint8Array | string): Promise<Echo> {
    const sent = Buffer.from(message as string)
    const startedMs = performance.now()
    // At the same time: a server that echoes stops reading when nobody reads from it.
    const [reply] = await Promise.all([this.#read(sent.length), this.write(sent)])
    const latencyUs = (performance.now() - startedMs) * 1e3
    if (!reply.equals(sent)) throw new Error(`${formatAddress(this.address)} sent other bytes back`)
    return { reply, latencyUs }
  }

  async #read(bytes: number): Promise<Buffer> {
    const { socket } = this
    const chunks: Buffer[] = []
    for (let missing = bytes; missing > 0;) {
      const chunk = socket.read() as Buffer | null
      if (chunk) {
        chunks.push(chunk.subarray(0, missing))
        if (chunk.length > missing) socket.unshift(chunk.subarray(missing))
        missing -= Math.min(missing, chunk.length)
      } else if (socket.readableEnded || socket.destroyed) {
        throw new Error(`${formatAddress(this.address)} hung up within an echo`)
      } else {
        await readable(socket)
      }
    }
    return Buffer.concat(chunks)
  }

  end(): void {
    this.socket.end()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const chunk of this.socket.iterator({ destroyOnReturn: false }))
      yield chunk as Uint8Array
  }

  async close(): Promise<void> {
    if (this.socket.closed) return
    const closed = new Promise(resolve => this.socket.once('close', resolve))
    this.socket.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Resolves on the next event that may have changed what can be read. */
function readable(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close'] as const
    const settle = (error?: Error) => {
      for (const event of events) socket.off(event, done)
      socket.off('error', settle)
      if (error) reject(error)
      else resolve()
    }
    const done = () => settle()
    for (const event of events) socket.on(event, done)
    socket.on('error', settle)
  })
}
