/** One who talks in datagrams to one other: each write is one, and so is each chunk. */
import type { Socket } from 'node:dgram'
import { Duplex } from 'node:stream'
import type { HostAddress } from '../../../address.ts'
import { errnoOf } from '../../failures.ts'
import type { Link, Target } from '../dial.ts'
import { connectSocket, resolved } from './socket.ts'

/** Nobody is asked: a link is there at once, and whether anybody hears us shows when we write. */
export async function dialDatagrams({ address }: Target): Promise<Link> {
  const whom = await resolved(address as HostAddress)
  return { stream: new DatagramStream(await connectSocket(whom)), details: [] }
}

/** So many that came and were not read are kept; what comes then is lost, as in the system. */
const unreadMax = 1_024

/**
 * `unreachable` is emitted with the system's error when the other machine says that nobody listens
 * there (ICMP port unreachable, RFC 1122 section 4.1.3.3). It ends nothing: somebody may come.
 */
class DatagramStream extends Duplex {
  readonly #socket: Socket

  constructor(socket: Socket) {
    super({ objectMode: true, readableHighWaterMark: unreadMax, allowHalfOpen: true })
    this.#socket = socket
    socket.on('message', data => {
      if (this.readableLength < unreadMax) this.push(data)
    })
    socket.on('error', error => this.#onError(error))
  }

  #onError(error: Error) {
    if (errnoOf(error) === 'ECONNREFUSED') this.emit('unreachable', error)
    else this.destroy(error)
  }

  override _read(): void {}

  override _write(data: unknown, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.send(data as Uint8Array, error => {
      const refused = error && errnoOf(error) === 'ECONNREFUSED'
      if (refused) this.emit('unreachable', error)
      done(refused ? null : error)
    })
  }

  /** There is no FIN: the other side never hears of it. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.close(() => done(error))
  }
}
