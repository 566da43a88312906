/** A client as a stream of bytes, for the echo with faults. */
import type { Socket } from 'node:net'
import { ConnectionEnded, type Chunk } from '../../../faults/fault.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { HoldBack } from '../../backpressure.ts'
import { failureName } from '../../failures.ts'
import type { Peer, PeerEvents } from '../core/faulty-echo.ts'

export class BytePeer implements Peer {
  readonly #socket: Socket
  readonly #holdBack: HoldBack
  #events!: PeerEvents

  constructor(socket: Socket, { counters }: Meter, holdBack: HoldBack) {
    this.#socket = socket
    this.#holdBack = holdBack
    socket.on('error', error => counters[counter[failureName(error)]]!++)
  }

  readonly #receive = (chunk: Buffer) => this.#events.onData(chunk)

  listen(events: PeerEvents): void {
    this.#events = events
    this.#socket.on('data', this.#receive).on('end', () => events.onEnd())
  }

  pause(): void {
    this.#holdBack(this.#socket)
  }

  resume(): void {
    this.#socket.resume()
  }

  write({ data }: Chunk): Promise<void> {
    return new Promise((resolve, reject) => {
      // The socket's own listener counts the error.
      this.#socket.write(data, error => (error ? reject(new ConnectionEnded()) : resolve()))
    })
  }

  stopListening(): void {
    this.#socket.off('data', this.#receive)
    const received = this.#socket.read() as Buffer | null
    if (received) this.#receive(received)
    this.#socket.on('data', (chunk: Buffer) => this.#events.onDiscarded(chunk.length))
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }
}
