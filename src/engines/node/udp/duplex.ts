/**
 * A client of datagrams, connected to one address: each write is a datagram, and so is each chunk.
 */
import type { Socket } from 'node:dgram'
import { Duplex } from 'node:stream'
import type { HostAddress } from '../../../vocabulary/address.ts'
import { errnoOf } from '../../failures.ts'
import type { Link, Target } from '../core/link.ts'
import { Candidates } from './socket.ts'

/**
 * Opens a link at once: there is no handshake, so only a write shows whether the server is
 * reachable.
 */
export async function dialDatagrams({ address, calling }: Target): Promise<Link> {
  const candidates = await Candidates.of(address as HostAddress, calling)
  return { stream: new DatagramDuplex(await candidates.connect(), candidates), details: [] }
}

/** How many datagrams are kept unread; further ones are dropped, as by the system. */
const unreadMax = 1_024
/** How many datagrams sent before the first answer are sent again to another address. */
const unprovenMax = 64

/**
 * `unreachable` is emitted with the system's error when the other machine says that no process
 * listens there (ICMP port unreachable, RFC 1122 section 4.1.3.3). The stream stays open: a server
 * may start later.
 */
class DatagramDuplex extends Duplex {
  #socket!: Socket
  readonly #candidates: Candidates
  /** Datagrams sent before the first answer; undefined once an answer has come. */
  #unproven: Uint8Array[] | undefined = []
  #moving: Promise<void> | undefined

  constructor(socket: Socket, candidates: Candidates) {
    super({ objectMode: true, readableHighWaterMark: unreadMax, allowHalfOpen: true })
    this.#candidates = candidates
    this.#listen(socket)
  }

  #listen(socket: Socket) {
    this.#socket = socket
    socket.on('message', data => {
      this.#unproven = undefined
      if (this.readableLength < unreadMax) this.push(data)
    })
    socket.on('error', error => this.#onError(socket, error))
  }

  #onError(socket: Socket, error: Error) {
    if (socket !== this.#socket || this.#moving) return
    const again = this.#unproven
    if (errnoOf(error) !== 'ECONNREFUSED') this.destroy(error)
    else if (!again || !this.#candidates.hasNext) this.emit('unreachable', error)
    else this.#moving = this.#move(again).finally(() => (this.#moving = undefined))
  }

  /** Goes on to the next address of the name, since no process listens on this one. */
  async #move(again: readonly Uint8Array[]): Promise<void> {
    this.#socket.close()
    try {
      this.#listen(await this.#candidates.connect())
    } catch (error) {
      this.destroy(error as Error)
      return
    }
    if (this.destroyed) this.#socket.close()
    else for (const data of again) this.#socket.send(data, () => {})
  }

  override _read(): void {}

  override _write(data: unknown, _encoding: string, done: (error?: Error | null) => void): void {
    const datagram = data as Uint8Array
    if (this.#unproven && this.#unproven.push(datagram) > unprovenMax) this.#unproven.shift()
    // This datagram is among those that are sent again from the new socket.
    if (this.#moving) return void this.#moving.then(() => done())
    const socket = this.#socket
    socket.send(datagram, error => {
      const refused = error && errnoOf(error) === 'ECONNREFUSED'
      if (refused) this.#onError(socket, error)
      done(refused ? null : error)
    })
  }

  /** Udp has no FIN: the other side does not learn of the end. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // While the socket is replaced there is none to close.
    if (this.#moving) done(error)
    else this.#socket.close(() => done(error))
  }
}
