/** Sends messages over node:net, and verifies that each comes back. */
import type { Socket } from 'node:net'
import type { Address } from '../../address.ts'
import { evenly, type Pacer } from '../../load/pacer.ts'
import { timerMaxMs } from '../../options.ts'
import { createPayload } from '../../load/payload.ts'
import { counter, type Meter } from '../../metrics/meter.ts'
import type { LoadTask } from '../../task.ts'
import type { WrongBytes } from '../../load/payload.ts'
import type { Session } from '../engine.ts'
import { dial } from './dial.ts'
import { LoadConnection, type Conductor } from './load-connection.ts'

/** Connections that are being established at the same time: fewer than a usual backlog holds. */
const dialsAtOnce = 256
/** Timers of Node are this late at times: the last stretch before a message is waited out. */
const timerSlackMs = 2

/** Connects all connections; nothing is sent before run(). */
export async function openLoad(task: LoadTask, meter: Meter): Promise<Session> {
  const sockets: Socket[] = []
  try {
    while (sockets.length < task.connections) {
      const missing = Math.min(dialsAtOnce, task.connections - sockets.length)
      const dialed = Array.from({ length: missing }, () => dial(task.address))
      sockets.push(...(await Promise.all(dialed)))
    }
  } catch (error) {
    for (const socket of sockets) socket.destroy()
    throw error
  }
  return new LoadSession(task, meter, sockets)
}

class LoadSession implements Session, Conductor {
  readonly address: Address
  wrong: WrongBytes | undefined
  readonly #task: LoadTask
  readonly #meter: Meter
  readonly #connections: LoadConnection[]
  readonly #pacer: Pacer | undefined
  /** Messages that may still be sent, in a closed loop. */
  #left: number
  #startedMs = 0
  /** Messages sent so far, in an open loop. */
  #sent = 0
  #open: number
  #stopping = false
  #pacing: NodeJS.Timeout | undefined
  readonly #timers: NodeJS.Timeout[] = []
  #finish!: () => void
  readonly #finished = new Promise<void>(resolve => (this.#finish = resolve))

  constructor(task: LoadTask, meter: Meter, sockets: Socket[]) {
    this.address = task.address
    this.#task = task
    this.#meter = meter
    this.#left = task.count
    this.#open = sockets.length
    this.#pacer = task.ratePerSecond === undefined ? undefined : evenly(task.ratePerSecond)
    const payload = createPayload(task.payload)
    const depth = this.#pacer ? 0 : task.depth
    this.#connections = sockets.map(
      (socket, index) =>
        new LoadConnection(socket, task.firstConnection + index, payload, depth, meter, this),
    )
    meter.counters[counter.opened]! += sockets.length
  }

  run(): Promise<void> {
    this.#startedMs = performance.now()
    if (Number.isFinite(this.#task.durationMs))
      this.#timers.push(
        setTimeout(() => this.stop(false), Math.min(this.#task.durationMs, timerMaxMs)),
      )
    if (this.#pacer) this.#sendDue(this.#pacer)
    else for (const connection of this.#connections) connection.start()
    this.#endIfDone()
    return this.#finished
  }

  /** In turn to each connection; one that takes no more falls behind, as its latency shows. */
  #sendDue(pacer: Pacer) {
    if (this.#stopping) return
    const elapsedMs = performance.now() - this.#startedMs
    const due = Math.min(pacer.due(elapsedMs * 1e6), this.#task.count)
    for (; this.#sent < due; this.#sent++)
      this.#connections[this.#sent % this.#connections.length]!.order()
    if (due >= this.#task.count) return this.stop(false)
    const waitMs = pacer.plannedNs(this.#sent) / 1e6 - elapsedMs - timerSlackMs
    // An open loop keeps its thread busy at high rates, because a late timer would be measured.
    if (waitMs > 0) this.#pacing = setTimeout(() => this.#sendDue(pacer), waitMs)
    else setImmediate(() => this.#sendDue(pacer))
  }

  /** The n-th message on a connection is one of a sequence that goes round all connections. */
  plannedMs(connection: number, n: number): number {
    const index = connection - this.#task.firstConnection
    const message = n * this.#connections.length + index
    return this.#startedMs + this.#pacer!.plannedNs(message) / 1e6
  }

  mayGoOn(): boolean {
    if (this.#stopping || this.#left <= 0) return false
    // The last message has its time to come back too.
    if (--this.#left === 0) this.#abandonLater()
    return true
  }

  onWrong(wrong: WrongBytes): void {
    this.wrong ??= wrong
  }

  onClosed(): void {
    this.#meter.counters[counter.closed]!++
    this.#open--
    this.#endIfDone()
  }

  #endIfDone() {
    if (this.#open > 0) return
    this.#stopping = true
    clearTimeout(this.#pacing)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#finish()
  }

  #abandonLater() {
    const drainMs = Math.min(this.#task.drainMs, timerMaxMs)
    this.#timers.push(setTimeout(() => this.stop(true), drainMs))
  }

  stop(now: boolean): void {
    if (!this.#stopping) {
      this.#stopping = true
      clearTimeout(this.#pacing)
      for (const timer of this.#timers.splice(0)) clearTimeout(timer)
      this.#abandonLater()
    }
    for (const connection of this.#connections) {
      if (now) connection.abandon()
      else connection.finish()
    }
  }
}
