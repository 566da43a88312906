/** Sends datagrams over node:dgram, and counts what became of each. */
import type { Socket } from 'node:dgram'
import type { HostAddress } from '../../../vocabulary/address.ts'
import type { DatagramStream } from '../../../load/datagram-stream.ts'
import { DatagramTraffic } from '../../../load/datagram-traffic.ts'
import { numberOf } from '../../../load/part.ts'
import type { Mover } from '../../../load/mover.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import type { ThreadResult, OpenTask } from '../../engine.ts'
import { errnoOf, explain, failureName, reasonWhy } from '../../failures.ts'
import { checkDestinations } from '../../os/datagram-sockets.ts'
import { Turns } from '../load/turns.ts'
import { Candidates, keepFreed } from './socket.ts'

/** How many sockets are made, and begin to send, at once. */
const togetherMax = 256
const beginnersMax = 32
/** The most datagrams in the socket. With more, none is issued: they wait in the stream. */
const unsentMax = 64
/** How often lost datagrams are looked for: a tenth of the timeout, within these bounds. */
const tickMinMs = 1
const tickMaxMs = 100

/**
 * Opens the sockets of a load. Nothing is sent before run(), so only run() shows whether a server
 * listens.
 */
export async function openDatagramLoad(task: LoadTask, meter: Meter): Promise<OpenTask> {
  keepFreed()
  const sockets: LoadSocket[] = []
  const wanted = task.address as HostAddress
  try {
    checkDestinations(task, [])
    const candidates = await Candidates.of(wanted, task.calling)
    checkDestinations(task, candidates.hosts)
    const traffic = new DatagramTraffic(task, meter)
    while (sockets.length < task.connections) {
      const missing = Math.min(togetherMax, task.connections - sockets.length)
      const startNs = nowNs()
      const found = Array.from({ length: missing }, (_, n) =>
        socketAt(candidates.again(numberOf(task, sockets.length + n))),
      )
      for (const loadSocket of await Promise.all(found)) sockets.push(loadSocket)
      for (let n = 0; n < missing; n++) meter.histograms.connect.record(nowNs() - startNs)
      meter.counters[counter.opened]! += missing
    }
    return new DatagramLoad(task, meter, traffic, sockets)
  } catch (error) {
    for (const { socket } of sockets) socket.close()
    throw errnoOf(error) === '' ? error : explain('connect to', wanted, error)
  }
}

/** A socket, and its next addresses if no process listens there. */
interface LoadSocket {
  socket: Socket
  readonly candidates: Candidates
  moving: boolean
}

const socketAt = async (candidates: Candidates): Promise<LoadSocket> => ({
  socket: await candidates.connect(),
  candidates,
  moving: false,
})

class DatagramLoad implements OpenTask, Mover<DatagramStream> {
  readonly address: HostAddress
  /** How many streams are not given up. */
  open: number
  readonly #meter: Meter
  readonly #traffic: DatagramTraffic
  readonly #turns: Turns<DatagramStream>
  /** The sockets, by the number of their stream. */
  readonly #sockets: LoadSocket[]
  /** Why connections failed, if more is known than the class. */
  readonly #reasons = new Map<FailureName, string>()

  constructor(task: LoadTask, meter: Meter, traffic: DatagramTraffic, sockets: LoadSocket[]) {
    this.address = task.address as HostAddress
    this.#meter = meter
    this.#traffic = traffic
    this.#sockets = sockets
    this.open = sockets.length
    const tickMs = Math.min(tickMaxMs, Math.max(tickMinMs, task.timeoutMs / 10))
    this.#turns = new Turns(traffic, this, tickMs)
    for (const stream of traffic.streams) this.#listen(stream)
  }

  #listen(stream: DatagramStream) {
    const { socket } = this.#sockets[stream.index]!
    socket.on('message', data => {
      stream.arrived(data, nowNs())
      this.send(stream)
    })
    socket.on('error', error => this.#onError(stream, socket, error))
  }

  #onError(stream: DatagramStream, socket: Socket, error: Error) {
    const loadSocket = this.#sockets[stream.index]!
    if (this.#turns.ended || loadSocket.moving || socket !== loadSocket.socket) return
    const mayMove = !stream.proven && loadSocket.candidates.hasNext
    if (mayMove && errnoOf(error) === 'ECONNREFUSED') void this.#move(stream, loadSocket)
    else this.#fail(stream, error)
  }

  /**
   * Tries the next address of the name. Datagrams in flight are sent there again, and are not
   * counted a second time.
   */
  async #move(stream: DatagramStream, loadSocket: LoadSocket) {
    loadSocket.moving = true
    loadSocket.socket.close()
    try {
      loadSocket.socket = await loadSocket.candidates.connect()
    } catch (error) {
      return this.#fail(stream, error as Error)
    }
    if (this.#turns.ended) return void loadSocket.socket.close()
    loadSocket.moving = false
    this.#listen(stream)
    const { socket } = loadSocket
    for (const [sequence, datagram] of stream.unanswered())
      socket.send(datagram, this.#onSent(stream, socket, sequence))
    this.send(stream)
  }

  /** @param sequence the number of a datagram that is sent again, and may be counted already */
  #onSent(stream: DatagramStream, socket: Socket, sequence?: number) {
    return (error: Error | null) => {
      if (error) this.#onError(stream, socket, error)
      else if (socket === this.#sockets[stream.index]!.socket) stream.onSent(sequence)
    }
  }

  get result(): ThreadResult {
    const { wrong, log, stageLogs: stages } = this.#traffic
    return { wrong, log, stages, reasons: this.#reasons, effort: this.#turns.effort }
  }

  /**
   * Fails a connection; usually by ECONNREFUSED: by ICMP the other machine has reported that no
   * process listens there.
   */
  #fail(stream: DatagramStream, error: Error) {
    const [name, reason] = [failureName(error), reasonWhy(error)]
    if (reason !== undefined) this.#reasons.set(name, reason)
    if (stream.failed) return
    stream.fail(counter[name])
    if (--this.open === 0) this.#turns.wake()
  }

  send(stream: DatagramStream): void {
    const { socket, moving } = this.#sockets[stream.index]!
    if (moving) return
    const onSent = this.#onSent(stream, socket)
    while (!this.#turns.ended && socket.getSendQueueCount() < unsentMax) {
      const datagram = stream.issue(nowNs())
      if (!datagram) break
      socket.send(datagram, onSent)
    }
  }

  async run(startNs: number): Promise<void> {
    await this.#turns.run(startNs)
    for (const { socket, moving } of this.#sockets) if (!moving) socket.close()
    this.#meter.counters[counter.closed]! += this.#sockets.length
  }

  stop(now: boolean): void {
    this.#turns.stop(now)
  }

  begin(): void {
    this.#begin(0)
  }

  /** Connections begin in groups: the first datagrams of all might not fit into a socket buffer. */
  #begin(from: number) {
    if (this.#turns.ended) return
    const to = Math.min(from + beginnersMax, this.#sockets.length)
    for (const stream of this.#traffic.streams.slice(from, to)) this.send(stream)
    if (to < this.#sockets.length) setTimeout(() => this.#begin(to), 1)
  }

  giveUp(stream: DatagramStream): void {
    if (!stream.failed) this.open--
    stream.failed = true
  }
}
