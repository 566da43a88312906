/** The echo of a server with faults: everything that arrives goes through a chain of faults. */
import type { Socket } from 'node:net'
import type { Pausable } from '../../../faults/arrived-chunks.ts'
import { Chain } from '../../../faults/chain.ts'
import type { Chunk, MessageType } from '../../../faults/fault.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import { recordHits } from '../../../faults/record.ts'
import { FaultRun } from '../../../faults/run.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { transports } from '../../../vocabulary/transport.ts'
import type { EchoHandler } from './protocol.ts'
import { nextTurn } from './fair-turns.ts'
import { countGarbage } from '../../garbage.ts'

export interface FaultyEcho extends EchoHandler {
  /** Sets the faults for new connections and, from now on, for open ones. */
  setFaults(faults: readonly FaultSpec[]): void
}

/** An echo without faults, which an echo with faults can replace. */
export interface PlainEcho extends EchoHandler {
  /** Stops, so that another echo replaces it; everything received so far has been echoed. */
  leaveTo(socket: Socket): void
}

/** A client, as bytes or as messages. */
export interface Peer extends Pausable {
  /** Starts to report what comes. */
  listen(events: PeerEvents): void
  /** Resolves when the next chunk may be written; rejects with ConnectionEnded. */
  write(chunk: Chunk): Promise<void>
  /** Called when other faults are in force. */
  revive?(): void
  /** What was received so far is delivered at once; what comes later is discarded. */
  stopListening(): void
  /**
   * Ends the stream once everything is written. @param leaving whether it ends because the server
   * is stopping
   */
  end(leaving: boolean): void
}

/** What a peer reports. */
export interface PeerEvents {
  onData(data: Buffer, message?: MessageType): void
  /** The client has finished. */
  onEnd(): void
  onDiscarded(bytes: number): void
  /** Whether the connection hangs: nothing is answered. */
  readonly hangs: boolean
}

/**
 * A connection holds at most what arrivals.ts holds (1 MiB and what was read before the pause took
 * hold, 128 KiB), and a chunk of at most 64 KiB in each fault and one in the socket.
 * @param plain the path without faults, if there is one
 */
export function createFaultyEcho(
  { faults, seed, address }: ServeTask,
  meter: Meter,
  createPeer: (socket: Socket) => Peer,
  plain?: PlainEcho,
): FaultyEcho {
  const { counters } = meter
  const onHit = recordHits(meter)
  const { carries } = transports[address.transport]
  const connections = new Map<Socket, FaultyConnection>()
  /** Connections on the path without faults: they came while no faults were in force. */
  const unharmed = new Map<Socket, () => void>()
  let present: readonly FaultSpec[] = faults ?? []
  let count = 0
  return {
    start(socket, accepted) {
      const number = count++
      const openedAt = performance.now()
      // A unix socket has no RST: its connection is closed.
      const onReset = () => {
        const raw = accepted?.raw ?? socket
        if (address.transport === 'unix') socket.destroy()
        else if (!raw.destroyed) raw.resetAndDestroy()
      }
      const options = { seed, connection: number, openedAt, carries, onHit, onReset } as const
      const createChain = () => new Chain(present, options)
      const harm = () => {
        const peer = createPeer(socket)
        const connection = new FaultyConnection(peer, createChain, onReset, counters)
        connections.set(socket, connection)
        socket.once('close', () => {
          connections.delete(socket)
          connection.cancel()
        })
        void connection.run()
      }
      if (present.length > 0 || !plain) return harm()
      unharmed.set(socket, harm)
      socket.once('close', () => unharmed.delete(socket))
      plain.start(socket)
    },
    finish(socket) {
      if (unharmed.delete(socket)) plain?.finish(socket)
      else connections.get(socket)?.leave()
    },
    setFaults(faults) {
      present = faults
      for (const connection of connections.values()) connection.renewChain()
      if (faults.length === 0) return
      for (const [socket, harm] of unharmed) {
        // The client has sent FIN, so nothing comes that a fault could change.
        if (socket.readableEnded || socket.destroyed) continue
        unharmed.delete(socket)
        plain?.leaveTo(socket)
        harm()
        // The chain may have waited for a client that did not read.
        socket.resume()
      }
    },
  }
}

class FaultyConnection implements PeerEvents {
  readonly #peer: Peer
  readonly #reset: () => void
  readonly #counters: Float64Array
  readonly #run: FaultRun
  #leaving = false
  #listening = true

  constructor(peer: Peer, createChain: () => Chain, reset: () => void, counters: Float64Array) {
    this.#peer = peer
    this.#reset = reset
    this.#counters = counters
    this.#run = new FaultRun(peer, createChain)
    peer.listen(this)
  }

  /** Sends what comes out of the faults: bytes, the end as FIN, a reset as RST. */
  async run(): Promise<void> {
    const write = async (chunk: Chunk) => {
      this.#counters[counter.bytesOut]! += chunk.data.length
      // Chunk by chunk: chunks that are written together would leave as one piece.
      await this.#peer.write(chunk)
      await nextTurn()
    }
    const ending = await this.#run.run(write, () => this.#peer.revive?.())
    if (ending === 'reset') return this.#reset()
    this.#stopListening()
    this.#peer.end(this.#leaving)
  }

  renewChain(): void {
    if (!this.#leaving) this.#run.renew()
  }

  /** Echoes what was received so far, then FIN; later bytes are discarded. */
  leave(): void {
    this.#leaving = true
    this.#stopListening()
    this.#run.end()
    this.#run.leave()
  }

  cancel(): void {
    this.#run.cancel()
  }

  get hangs(): boolean {
    return this.#run.hangs
  }

  onData(data: Buffer, message?: MessageType): void {
    this.#counters[counter.chunks]!++
    this.#counters[counter.bytesIn]! += data.length
    countGarbage(data.length)
    this.#run.push(data, message)
  }

  onEnd(): void {
    this.#run.end()
  }

  onDiscarded(bytes: number): void {
    this.#counters[counter.bytesDiscarded]! += bytes
  }

  #stopListening() {
    if (!this.#listening) return
    this.#listening = false
    this.#peer.stopListening()
  }
}
