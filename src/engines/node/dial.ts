/** Connects, over every transport. */
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { streamAt, type Address } from '../../address.ts'
import { usageError } from '../../errors.ts'
import { timerMaxMs } from '../../units.ts'
import type { Calling } from '../../options/calling.ts'
import { transports, type TransportName } from '../../transport.ts'
import { explain } from '../failures.ts'
import { upon } from './upon.ts'

/** Whom to talk to, and how to introduce oneself. */
export interface Target {
  address: Address
  calling: Calling
}

/** A connection, whatever it travels by. */
export interface Link {
  /**
   * Where messages have bounds (see transport.ts), each write is one and so is each chunk that is
   * read; a string is a message of text where the transport tells text from binary.
   */
  readonly stream: Duplex
  /** What was agreed on, a line each, for people: protocol, cipher, certificate. */
  readonly details: readonly string[]
  /** The round trip of a ping, in milliseconds, where the transport has pings. */
  readonly ping?: (() => Promise<number>) | undefined
}

/**
 * A link over which small messages are sent at once, and whose two directions end by themselves.
 * @throws UserError if nobody answers
 */
export function dial(target: Target, timeoutMs = 10_000): Promise<Link> {
  const { address } = target
  if (address.transport !== 'unix' && address.port === 0)
    throw usageError('Nobody can be reached on port 0.', 'Port 0 is only for listening.')
  return dialOrFail(target, timeoutMs).catch((error: unknown) => {
    throw explain('connect to', address, error)
  })
}

/** The same; rejects with the system's error. */
export function dialOrFail(target: Target, timeoutMs: number, signal?: AbortSignal): Promise<Link> {
  const { transport } = target.address
  return dials[transport](target, timeoutMs, signal)
}

/** Loads what a transport needs, so that no connection that is timed has to wait for it. */
export async function prepare({ address }: Target): Promise<void> {
  const { transport } = address
  if (transports[transport].secure) await import('./tls.ts')
  if (dials[transport] === messages) await import('./ws/dial.ts')
  if (dials[transport] === requests) await import('./http/dial.ts')
}

type Dial = (target: Target, timeoutMs: number, signal?: AbortSignal) => Promise<Link>

const plain: Dial = async (target, timeoutMs, signal) => ({
  stream: await dialSocket(target, timeoutMs, signal),
  details: [],
})

const secure: Dial = async (target, timeoutMs, signal) => {
  const startedMs = performance.now()
  const socket = await dialSocket(target, timeoutMs, signal)
  const { secured } = await import('./tls.ts')
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
  return upon(socket, () => secured(socket, target, leftMs))
}

/** A stream of bytes, in the clear or not, as the transport wants it below itself. */
const bytes: Dial = (target, timeoutMs, signal) =>
  (transports[target.address.transport].secure ? secure : plain)(target, timeoutMs, signal)

const datagrams: Dial = async target => (await import('./udp/link.ts')).dialDatagrams(target)

/** Messages over a stream of bytes; both together have so much time. */
const messages: Dial = async (target, timeoutMs, signal) => {
  const startedMs = performance.now()
  // Loaded before: what a server says at once, such as an alert, must find somebody who listens.
  const { openMessages } = await import('./ws/dial.ts')
  const link = await bytes(target, timeoutMs, signal)
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
  return upon(link.stream, () => openMessages(link, target, leftMs))
}

const requests: Dial = async (target, timeoutMs, signal) => {
  const { openHttp } = await import('./http/dial.ts')
  return openHttp(target, () => bytes(target, timeoutMs, signal))
}

const dials: Record<TransportName, Dial> = {
  tcp: bytes,
  unix: bytes,
  tls: bytes,
  udp: datagrams,
  ws: messages,
  wss: messages,
  http: requests,
  https: requests,
}

/** What everything but datagrams travels by; whoever forwards has said so already. */
async function dialSocket(
  { address, calling }: Target,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const socket = await dialPlain(address, timeoutMs, signal)
  const { sendProxy } = calling
  if (sendProxy)
    await upon(socket, async () => (await import('./proxy.ts')).sendProxyHeader(socket, sendProxy))
  return socket
}

function dialPlain(address: Address, timeoutMs: number, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Each address of a name is tried (RFC 8305), whatever the default is.
    const options = {
      ...streamAt(address),
      allowHalfOpen: true,
      noDelay: true,
      autoSelectFamily: true,
    }
    const socket = connect(signal ? { ...options, signal } : options)
    const timer = setTimeout(
      () => {
        socket.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }))
      },
      Math.min(timeoutMs, timerMaxMs),
    )
    const fail = (error: Error) => {
      clearTimeout(timer)
      reject(error)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      // What breaks before somebody listens shows as a destroyed socket, not as a crash.
      socket.off('error', fail).on('error', () => {})
      resolve(socket)
    })
  })
}
