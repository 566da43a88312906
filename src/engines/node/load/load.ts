/** Sends messages over node:net, and verifies that each comes back. */
import type { Duplex } from 'node:stream'
import type { Address } from '../../../vocabulary/address.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import type { Churn } from '../../../load/churn.ts'
import { Traffic } from '../../../load/traffic.ts'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import { numberOf } from '../../../load/part.ts'
import type { Mover } from '../../../load/mover.ts'
import type { Stream } from '../../../load/stream.ts'
import type { LoadTask } from '../../../task.ts'
import { transports } from '../../../vocabulary/transport.ts'
import type { ThreadResult, OpenTask } from '../../engine.ts'
import { explain, failureName } from '../../failures.ts'
import { ShortSockets } from './short-sockets.ts'
import { noteFailure } from './note-failure.ts'
import type { Dial } from '../core/link.ts'
import { countReconnects, keepOpen } from '../http/reconnects.ts'
import { LoadConnection } from './load-connection.ts'
import { Redials } from './redials.ts'
import { Stamps } from './stamps.ts'
import { dialsAtOnce, timedDial } from './timed-dial.ts'
import { Turns } from './turns.ts'

/** How often to look for timeouts, and to do what needs no exact time. */
const tickMs = 100

/**
 * Connects all connections; nothing is sent before run().
 * @throws UserError if none of the first connections succeeds; later failures are counted
 */
export async function openLoad(task: LoadTask, meter: Meter, dial: Dial): Promise<OpenTask> {
  const traffic = new Traffic(task, meter)
  const stamps = Stamps.of(task)
  const steady = stamps?.over(dial) ?? dial
  const sockets: (Duplex | undefined)[] = []
  const wanted = task.connections + task.idle
  // Without steady connections nothing else would find out whether the server is there.
  if (wanted === 0) await checkServer(task, dial)
  while (sockets.length < wanted) {
    const missing = Math.min(dialsAtOnce, wanted - sockets.length)
    const answers = await Promise.allSettled(
      Array.from({ length: missing }, (_, n) =>
        timedDial(task, meter, steady, numberOf(task, sockets.length + n)),
      ),
    )
    const errors = answers.filter(answer => answer.status === 'rejected')
    // No descriptors left: a failure of this process, not of the server.
    const own = errors.find(({ reason }) => failureName(reason) === 'noDescriptors')
    if (own || (sockets.length === 0 && errors.length === answers.length))
      throw explain('connect to', task.address, (own ?? errors[0]!).reason)
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        const reason = counter[noteFailure(traffic, answer.reason)]
        const stream = traffic.streams[sockets.length]
        if (stream) stream.fail(reason)
        else meter.counters[reason]!++
      }
      sockets.push(answer.status === 'fulfilled' ? answer.value : undefined)
    }
  }
  traffic.stalls.stamped = stamps?.complete === true
  return new OpenLoad(task, meter, traffic, sockets, dial, stamps)
}

async function checkServer(task: LoadTask, dial: Dial): Promise<void> {
  const { stream } = await dial(task, task.timeoutMs).catch((error: unknown) => {
    throw explain('connect to', task.address, error)
  })
  stream.destroy()
}

class OpenLoad implements OpenTask, Mover<Stream> {
  readonly address: Address
  /** Steady connections that are not closed yet, or are to be opened again. */
  open = 0
  readonly #meter: Meter
  readonly #traffic: Traffic
  readonly #turns: Turns<Stream>
  /**
   * The connections, by the number of their stream; undefined if the connection has failed, or is
   * down.
   */
  readonly #connections: (LoadConnection | undefined)[]
  readonly #idle: Duplex[] = []
  readonly #churn: Churn | undefined
  readonly #redials: Redials | undefined
  readonly #connect: (stream: Stream, socket: Duplex) => LoadConnection

  constructor(
    task: LoadTask,
    meter: Meter,
    traffic: Traffic,
    sockets: (Duplex | undefined)[],
    dial: Dial,
    stamps: Stamps | undefined,
  ) {
    this.address = task.address
    this.#meter = meter
    this.#traffic = traffic
    this.#churn = task.churn && new ShortSockets(task, traffic, dial, () => this.#onRoom()).churn
    this.#turns = new Turns(traffic, this, tickMs, this.#churn)
    const steady = stamps?.over(dial) ?? dial
    if (task.reconnect) this.#redials = new Redials(task, traffic, steady, this.#reopen)
    const { carries } = transports[task.address.transport]
    this.#connect = (stream, socket) =>
      new LoadConnection(traffic, stream, socket, carries, () => this.#onClosed(stream), stamps)
    this.#connections = traffic.streams.map(stream => {
      const socket = sockets[stream.index]
      if (socket || stream.broken) this.open++
      return socket && this.#connect(stream, socket)
    })
    for (const socket of sockets.slice(task.connections)) if (socket) this.#keepIdle(socket)
  }

  get result(): ThreadResult {
    const { log, stageLogs: stages, evidence, measureFromNs } = this.#traffic
    const outages = this.#traffic.outages?.since(measureFromNs)
    const { wrong, statuses, reasons } = evidence
    const { effort } = this.#turns
    const { log: churn, lateNs: churnLateNs } = this.#churn ?? {}
    return { wrong, log, stages, statuses, reasons, effort, churn, churnLateNs, outages }
  }

  /** Keeps an idle connection open; if the server ends it, that is a failure. */
  #keepIdle(socket: Duplex) {
    this.#idle.push(socket)
    socket.resume()
    countReconnects(socket, this.#traffic)
    let isLost = false
    const lose = (reason: FailureName) => {
      if (!isLost && !this.#traffic.over) this.#meter.counters[counter[reason]]!++
      isLost = true
    }
    keepOpen(socket, () => lose('closedEarly'))
    socket.on('end', () => lose('closedEarly'))
    socket.on('error', error => {
      if (!isLost && !this.#traffic.over) lose(noteFailure(this.#traffic, error))
    })
    const onClosed = () => {
      lose('closedEarly')
      this.#meter.counters[counter.closed]!++
    }
    socket.on('close', onClosed)
    // The connection may have closed before these listeners were added.
    if (!socket.closed) return
    if (socket.errored) lose(noteFailure(this.#traffic, socket.errored))
    onClosed()
  }

  async run(startNs: number): Promise<void> {
    for (const stream of this.#traffic.streams) if (stream.broken) this.#redials!.begin(stream)
    await this.#turns.run(startNs)
    for (const socket of this.#idle) socket.destroy()
  }

  stop(now: boolean): void {
    this.#turns.stop(now)
  }

  begin(): void {
    for (const connection of this.#connections) connection?.send()
  }

  send(stream: Stream): void {
    const connection = this.#connections[stream.index]
    if (connection) connection.send()
    else if (this.#traffic.over) this.#leave(stream)
  }

  countSent(atNs?: number): void {
    for (const connection of this.#connections) connection?.countSent(atNs)
  }

  giveUp(stream: Stream): void {
    const connection = this.#connections[stream.index]
    if (connection) connection.abandon()
    else this.#leave(stream)
  }

  #onClosed(stream: Stream) {
    this.#meter.counters[counter.closed]!++
    this.#connections[stream.index] = undefined
    if (stream.broken && !this.#traffic.over) return this.#redials!.begin(stream)
    stream.leave()
    this.#close()
  }

  readonly #reopen = (stream: Stream, socket: Duplex): void => {
    stream.reopen(nowNs())
    const connection = this.#connect(stream, socket)
    this.#connections[stream.index] = connection
    connection.send()
  }

  /** Nothing more is planned, so a broken connection is not opened again. */
  #leave(stream: Stream) {
    if (!stream.broken) return
    this.#redials!.cancel(stream)
    stream.leave()
    this.#close()
  }

  #close() {
    if (--this.open === 0) this.#turns.wake()
  }

  /** A short connection has ended, so one that waits may begin. */
  #onRoom() {
    if (this.#churn!.done) this.#turns.wake()
    else this.#turns.wakeIfDue()
  }
}
