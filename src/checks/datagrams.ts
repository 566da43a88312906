/** A socket of udp under observation: numbered datagrams, and what came back of each. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostAddress } from '../vocabulary/address.ts'
import { reachableFrom, sourceOf } from '../options/route.ts'
import { isSameHost } from '../vocabulary/same-host.ts'
import { peerText } from '../vocabulary/text.ts'
import { descriptorOf } from '../engines/os/datagram-descriptor.ts'
import { errnoOf, explain } from '../engines/failures.ts'
import { AF_INET, AF_INET6 } from '../engines/os/kernel-numbers.ts'
import { addressesOf } from '../engines/os/resolver.ts'
import { applyOptions, libcFor } from '../engines/os/socket-options.ts'
import type { Scene } from './scene.ts'

/** The beginning of each datagram: a number, and letters that follow from the number. */
const numberBytes = 4

export interface SentDatagram {
  number: number
  bytes: number
  sentMs: number
  /** When the first echo of the datagram came. */
  cameMs: number | undefined
  /** How often it came. */
  times: number
  /** It came after a datagram that was sent later. */
  isLate: boolean
}

export class Datagrams {
  readonly #scene: Scene
  readonly #socket: Socket
  readonly #host: string
  readonly #port: number
  readonly sent: SentDatagram[] = []
  /** The address of this end, and when it was opened, in milliseconds since 1970. */
  readonly local: string
  readonly openedAt = Date.now()
  /** Datagrams that came back with other bytes than were sent. */
  changed: { number: number; data: Buffer }[] = []
  /** The addresses of answers that did not come from the server. */
  strangers: string[] = []
  /** The error codes of the system for datagrams that could not be sent, or were refused. */
  errors = new Set<string>()
  #highest = -1

  static async open(scene: Scene): Promise<Datagrams> {
    const { host, port } = scene.address as HostAddress
    const { calling } = scene
    const [address] = reachableFrom(calling, await addressesOf(host))
    const socket = await scene.adopt(
      async () => {
        const is6 = isIP(address!.replace(/%.*$/, '')) === 6
        const socket = createSocket(is6 ? 'udp6' : 'udp4')
        try {
          socket.bind(0, sourceOf(calling, 0))
          await once(socket, 'listening')
          const [libc, fd] = [libcFor(calling.socket), descriptorOf(socket)]
          if (libc && fd !== undefined)
            applyOptions(libc, fd, is6 ? AF_INET6 : AF_INET, calling.socket)
          return socket
        } catch (error) {
          socket.close()
          throw errnoOf(error) === '' ? error : explain('connect to', scene.address, error)
        }
      },
      socket => closeSocket(socket),
      // Not once() of events, which an error of the socket would reject.
      socket => new Promise(resolve => socket.once('close', resolve)),
    )
    return new Datagrams(scene, socket, address!, port)
  }

  private constructor(scene: Scene, socket: Socket, host: string, port: number) {
    this.#scene = scene
    this.#socket = socket
    this.#host = host
    this.#port = port
    const own = socket.address()
    this.local = peerText(own.address, own.port)
    socket.on('message', (data, from) => this.#arrived(data, from))
    socket.on('error', error => this.errors.add((error as NodeJS.ErrnoException).code ?? ''))
  }

  /** Ends it: whatever comes later is not seen. */
  close(): void {
    closeSocket(this.#socket)
  }

  get fd(): number | undefined {
    return descriptorOf(this.#socket)
  }

  #arrived(data: Buffer, from: RemoteInfo) {
    if (from.port !== this.#port || !isSameHost(from.address, this.#host))
      this.strangers.push(peerText(from.address, from.port))
    const number = data.length >= numberBytes ? data.readUInt32BE(0) : -1
    const sent = this.sent[number]
    if (!sent || !data.equals(datagram(number, sent.bytes))) {
      this.changed.push({ number, data })
      return
    }
    sent.times++
    if (sent.cameMs !== undefined) return
    sent.cameMs = performance.now()
    if (number < this.#highest) sent.isLate = true
    this.#highest = Math.max(this.#highest, number)
  }

  send(bytes: number): SentDatagram {
    const number = this.sent.length
    const sent: SentDatagram = {
      number,
      bytes,
      sentMs: performance.now(),
      cameMs: undefined,
      times: 0,
      isLate: false,
    }
    this.sent.push(sent)
    this.#scene.spend(bytes)
    this.#socket.send(datagram(number, bytes), this.#port, this.#host, error => {
      if (error) this.errors.add((error as NodeJS.ErrnoException).code ?? error.message)
    })
    return sent
  }

  /** Waits for the echo of a datagram. */
  async came(sent: SentDatagram, silenceMs: number): Promise<boolean> {
    return this.until(() => sent.cameMs !== undefined, silenceMs)
  }

  /** Waits until `isDone`; returns whether that was so within this time. */
  async until(isDone: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = performance.now() + withinMs
    while (!isDone() && performance.now() < endMs) await sleep(1)
    // What has come while this process was held up is looked at first.
    await new Promise(resolve => setImmediate(resolve))
    return isDone()
  }
}

const closed = new WeakSet<Socket>()
/** A socket of udp must not be closed twice. */
function closeSocket(socket: Socket): void {
  if (!closed.has(socket)) socket.close()
  closed.add(socket)
}

const letters = 'abcdefghijklmnopqrstuvwxyz'

function datagram(number: number, bytes: number): Buffer {
  const first = number % letters.length
  const data = Buffer.alloc(
    Math.max(bytes, numberBytes),
    letters.slice(first) + letters.slice(0, first),
  )
  data.writeUInt32BE(number, 0)
  return data
}
