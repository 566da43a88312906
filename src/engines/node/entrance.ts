/**
 * What a client goes through between being accepted and being served, step by step: the PROXY
 * header, TLS. Each step takes the stream that it is given and makes the next one of it. A client
 * who takes too long, or does not know the way, is closed and counted.
 */
import type { Socket } from 'node:net'
import { counter, type FailureName, type Meter } from '../../metrics/meter.ts'
import { timerMaxMs } from '../../units.ts'
import type { ServeTask } from '../../task.ts'
import { transports } from '../../transport.ts'
import { failureName } from '../failures.ts'
import type { Forwarded } from '../proxy-header.ts'
import { noteForwarded } from './client-ledger.ts'
import type { Echo } from './echo.ts'
import { heardOf } from './peek.ts'

/** What is known of a client when it is served. */
export interface Admission {
  /** The socket that was accepted: only it can be reset. */
  raw: Socket
  /** Whom a proxy forwards, by its PROXY header. */
  forwarded?: Forwarded | undefined
}

/**
 * Resolves with the stream for the next step; rejects with why the client is to be closed. The
 * client may vanish meanwhile: then `raw` is destroyed, and the step must settle.
 */
export type Step = (socket: Socket, admission: Admission) => Promise<Socket>

/** Who has begun, and how long he may still take. */
interface Guest {
  raw: Socket
  leftMs: number
}

/** So many may be on their way in at the same time; of the others only a little is read. */
const insideMax = 1_000

/**
 * An echo that lets its clients in by steps, at most so long each. Who is silent has not begun, and
 * so takes nobody's place; but his time runs. Only where the PROXY header may be left out it begins
 * with the first byte: there silence is no burden, as on plain tcp.
 */
export class Entrance implements Echo {
  readonly #steps: readonly Step[]
  readonly #echo: Echo
  readonly #counters: Float64Array
  readonly #timeoutMs: number
  readonly #patient: boolean
  /** Those of whom nothing has come, and what ends their time, if it runs. */
  readonly #silent = new Map<Socket, NodeJS.Timeout | undefined>()
  /** Those who are through, by the socket that was accepted. */
  readonly #admitted = new WeakMap<Socket, Socket>()
  readonly #leaving = new WeakSet<Socket>()
  readonly #queue: Guest[] = []
  #inside = 0

  constructor(steps: readonly Step[], echo: Echo, task: ServeTask, { counters }: Meter) {
    const { handshakeTimeoutMs, proxy, address } = task
    const { carries, secure } = transports[address.transport]
    this.#steps = steps
    this.#echo = echo
    this.#counters = counters
    this.#timeoutMs = Math.min(handshakeTimeoutMs, timerMaxMs)
    this.#patient = proxy?.mode === 'accept' && carries === 'bytes' && !secure
  }

  start(raw: Socket): void {
    // What breaks on the way in is known by the step that reads; here it must only not be thrown.
    raw.on('error', () => {})
    if (isGone(raw)) return void raw.destroy()
    const startedMs = performance.now()
    const late = () => this.#forget(raw) && this.#turnOut(raw, 'timedOut')
    this.#silent.set(raw, this.#patient ? undefined : setTimeout(late, this.#timeoutMs))
    heardOf(raw, () => {
      if (!this.#forget(raw) || raw.destroyed) return
      // Whoever looks whether there is somebody, and says nothing, has failed at nothing.
      if (raw.bytesRead === 0) return void raw.destroy()
      if (this.#patient) return this.#knock({ raw, leftMs: this.#timeoutMs })
      this.#knock({ raw, leftMs: Math.max(1, startedMs + this.#timeoutMs - performance.now()) })
    })
  }

  /** False: he was none of the silent. */
  #forget(raw: Socket): boolean {
    clearTimeout(this.#silent.get(raw))
    return this.#silent.delete(raw)
  }

  finish(raw: Socket): void {
    const socket = this.#admitted.get(raw)
    this.#leaving.add(raw)
    if (socket) this.#echo.finish(socket)
    else if (this.#forget(raw) || this.#queue.some(waiting => waiting.raw === raw)) raw.destroy()
  }

  #knock(guest: Guest) {
    if (this.#inside < insideMax) void this.#enter(guest)
    else this.#queue.push(guest)
  }

  async #enter({ raw, leftMs }: Guest) {
    this.#inside++
    const admission: Admission = { raw }
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#turnOut(raw, 'timedOut')
    }, leftMs)
    try {
      let socket = raw
      for (const step of this.#steps) socket = await step(socket, admission)
      if (!raw.destroyed) this.#admit(socket, admission)
    } catch (error) {
      if (!late) this.#turnOut(raw, failureName(error))
    } finally {
      clearTimeout(timer)
      this.#inside--
      this.#next()
    }
  }

  #admit(socket: Socket, admission: Admission) {
    this.#admitted.set(admission.raw, socket)
    if (admission.forwarded) noteForwarded(admission.raw, admission.forwarded)
    this.#echo.start(socket, admission)
    if (this.#leaving.has(admission.raw)) this.#echo.finish(socket)
  }

  #turnOut(raw: Socket, reason: FailureName) {
    this.#counters[counter.handshakesFailed]!++
    this.#counters[counter[reason]]!++
    raw.destroy()
  }

  #next() {
    const guest = this.#queue.shift()
    if (!guest) return
    if (guest.raw.destroyed) this.#next()
    else void this.#enter(guest)
  }
}

/**
 * Reset before anybody looked: the system does not say any more who it was, so that nobody could
 * tell whether his PROXY header is to be believed. Peers of a unix socket have no names at all.
 */
const isGone = ({ remoteAddress, localAddress }: Socket): boolean =>
  remoteAddress === undefined && localAddress !== undefined
