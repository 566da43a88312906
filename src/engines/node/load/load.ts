/** Sends messages over node:net, and verifies that each comes back. */
import type { Duplex } from 'node:stream'
import type { Address } from '../../../vocabulary/address.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { Traffic } from '../../../load/traffic.ts'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { LoadTask } from '../../../task.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { Effort } from '../../effort.ts'
import type { Outcome, Session } from '../../engine.ts'
import { explain, failureName } from '../../failures.ts'
import { Churn } from './churn.ts'
import { noteFailure } from './note-failure.ts'
import type { Dial } from '../core/link.ts'
import { countReconnects, keepOpen } from '../http/reconnects.ts'
import { LoadConnection } from './connection.ts'

/** How many connections are established at once: fewer than a usual backlog holds. */
const dialsAtOnce = 256
/** Node's timers may be late by this; for the rest of the time before a message the loop spins. */
const timerSlackNs = 2e6
/** How often timeouts, and whatever else needs no exact time, are checked. */
const tickMs = 100

/**
 * Connects all connections; nothing is sent before run().
 * @throws UserError if none of the first answers; later failures are counted
 */
export async function openLoad(task: LoadTask, meter: Meter, dial: Dial): Promise<Session> {
  const traffic = new Traffic(task, meter)
  const sockets: (Duplex | undefined)[] = []
  const wanted = task.connections + task.idle
  // Without steady connections nothing else would find out whether the server is there.
  if (wanted === 0) await probe(task, dial)
  while (sockets.length < wanted) {
    const missing = Math.min(dialsAtOnce, wanted - sockets.length)
    const answers = await Promise.allSettled(
      Array.from({ length: missing }, () => timedDial(task, meter, dial)),
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
  return new LoadSession(task, meter, traffic, sockets, dial)
}

async function probe(task: LoadTask, dial: Dial): Promise<void> {
  const { stream } = await dial(task, task.timeoutMs).catch((error: unknown) => {
    throw explain('connect to', task.address, error)
  })
  stream.destroy()
}

async function timedDial(task: LoadTask, meter: Meter, dial: Dial): Promise<Duplex> {
  const startNs = nowNs()
  const { stream } = await dial(task, task.timeoutMs)
  meter.histograms.connect.record(nowNs() - startNs)
  meter.counters[counter.opened]!++
  return stream
}

class LoadSession implements Session {
  readonly address: Address
  readonly #task: LoadTask
  readonly #meter: Meter
  readonly #traffic: Traffic
  readonly #effort: Effort
  /** By the number of their stream; undefined if the connection failed. */
  readonly #connections: (LoadConnection | undefined)[]
  readonly #held: Duplex[] = []
  readonly #churn: Churn | undefined
  #open = 0
  #started = false
  #ended = false
  #pacing: NodeJS.Timeout | undefined
  /** #pace sleeps until then; 0 if it does not sleep. */
  #asleepUntilNs = 0
  #ticking: NodeJS.Timeout | undefined
  #abandoning: NodeJS.Timeout | undefined
  #lookedAtNs = 0
  #chunksSeen = 0
  #finish!: () => void
  readonly #finished = new Promise<void>(resolve => (this.#finish = resolve))

  constructor(
    task: LoadTask,
    meter: Meter,
    traffic: Traffic,
    sockets: (Duplex | undefined)[],
    dial: Dial,
  ) {
    this.address = task.address
    this.#task = task
    this.#meter = meter
    this.#traffic = traffic
    this.#effort = new Effort(traffic)
    if (traffic.thinking)
      traffic.thinking.onSooner = () => {
        if (traffic.nextNs < this.#asleepUntilNs) this.#paceSoon()
      }
    const { carries } = transports[task.address.transport]
    this.#connections = traffic.streams.map(stream => {
      const socket = sockets[stream.index]
      if (!socket) return undefined
      this.#open++
      return new LoadConnection(traffic, stream, socket, carries, () => this.#onClosed())
    })
    for (const socket of sockets.slice(task.connections)) if (socket) this.#hold(socket)
    this.#churn = task.churn && new Churn(task, meter, traffic, dial, () => this.#onRoom())
  }

  get outcome(): Outcome {
    const { log, evidence } = this.#traffic
    const { wrong, statuses, reasons } = evidence
    const { busyShare } = this.#effort
    const { log: cycles, lateNs: cyclesLateNs } = this.#churn ?? {}
    return { wrong, log, statuses, reasons, busyShare, cycles, cyclesLateNs }
  }

  /** Keeps an idle connection open; if the server ends it, that is a failure. */
  #hold(socket: Duplex) {
    this.#held.push(socket)
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
    // It may have closed before it had these listeners.
    if (!socket.closed) return
    if (socket.errored) lose(noteFailure(this.#traffic, socket.errored))
    onClosed()
  }

  run(startNs: number): Promise<void> {
    this.#started = true
    this.#traffic.start(startNs)
    this.#churn?.start(startNs)
    this.#ticking = setInterval(() => this.#tick(), tickMs)
    this.#lookedAtNs = nowNs()
    this.#pace()
    if (!this.#traffic.openLoop) for (const connection of this.#connections) connection?.send()
    this.#endIfDone()
    return this.#finished
  }

  /** Sends what is due, and runs again when the next message is due. */
  readonly #pace = (): void => {
    if (this.#ended) return
    const now = nowNs()
    this.#accountForWaiting(now)
    this.#traffic.plan(now, stream => this.#connections[stream.index]?.send())
    this.#churn?.plan(now)
    this.#asleepUntilNs = Infinity
    if (this.#traffic.over) return this.#windDown()
    const nextNs = Math.min(this.#traffic.nextNs, this.#churn?.nextNs ?? Infinity)
    // A think time need not be that exact.
    const slackNs = this.#traffic.thinking ? 0 : timerSlackNs
    const waitMs = Math.min((nextNs - nowNs() - slackNs) / 1e6, timerMaxMs)
    // At high rates an open loop spins: a late timer would be measured as response time.
    if (waitMs <= 0) this.#paceSoon()
    else {
      this.#asleepUntilNs = nextNs
      this.#lookedAtNs = 0
      this.#pacing = setTimeout(this.#pace, waitMs)
    }
  }

  #paceSoon() {
    this.#asleepUntilNs = 0
    clearTimeout(this.#pacing)
    setImmediate(this.#pace)
  }

  /** A short connection has ended: the next that waits may begin. */
  #onRoom() {
    if (this.#churn!.nextNs < this.#asleepUntilNs) this.#paceSoon()
    this.#endIfDone()
  }

  /** A turn in which nothing was due and nothing came counts as waiting, though it used the CPU. */
  #accountForWaiting(now: number) {
    const chunks = this.#meter.counters[counter.chunks]!
    const nextNs = Math.min(this.#traffic.nextNs, this.#churn?.nextNs ?? Infinity)
    const idle = chunks === this.#chunksSeen && now < nextNs
    if (idle && this.#lookedAtNs > 0) this.#effort.waited(now - this.#lookedAtNs)
    this.#chunksSeen = chunks
    this.#lookedAtNs = now
  }

  #tick() {
    const now = nowNs()
    for (const connection of this.#connections) connection?.settle()
    this.#traffic.tick(now, stream => this.#connections[stream.index]?.abandon())
    this.#effort.update(now)
    if (this.#traffic.over) this.#windDown()
  }

  /** Nothing more is planned: connections with all echoes close, the others have time to drain. */
  #windDown() {
    if (this.#ended || this.#abandoning) return
    this.#effort.update(nowNs())
    const drainMs = Math.min(this.#task.drainMs, timerMaxMs)
    this.#abandoning = setTimeout(() => this.#abandon(), drainMs)
    // What the system has taken by now counts as taken before the end: it was hardly later.
    const endNs = this.#traffic.plannedUntilNs - 1
    for (const connection of this.#connections) connection?.settle(endNs)
    for (const connection of this.#connections) connection?.send()
    this.#churn?.plan(nowNs())
    this.#endIfDone()
  }

  #onClosed() {
    this.#meter.counters[counter.closed]!++
    this.#open--
    this.#endIfDone()
  }

  #abandon() {
    for (const connection of this.#connections) connection?.settle()
    this.#traffic.close(nowNs())
    for (const connection of this.#connections) connection?.abandon()
    this.#churn?.abandon()
    if (this.#open === 0) this.#end()
  }

  #endIfDone() {
    // Connections that closed before the load began are looked at when it begins.
    if (this.#open > 0 || this.#ended || !this.#started) return
    const { count, durationMs } = this.#task
    // No connection is left that could reach the count.
    if (count < Infinity && durationMs === Infinity) this.#traffic.die(nowNs())
    const churning = this.#churn !== undefined && !this.#churn.done
    if (churning || (this.#task.connections === 0 && !this.#traffic.over)) return
    this.#end()
  }

  #end() {
    this.#ended = true
    this.#traffic.die(nowNs())
    this.#traffic.close(nowNs())
    this.#effort.update(nowNs())
    for (const timer of [this.#pacing, this.#abandoning]) clearTimeout(timer)
    clearInterval(this.#ticking)
    for (const socket of this.#held) socket.destroy()
    this.#finish()
  }

  stop(now: boolean): void {
    this.#traffic.stop(nowNs())
    if (now) this.#abandon()
    else this.#windDown()
  }
}
