/**
 * What a client goes through between being accepted and being served, step by step: the PROXY
 * header, TLS. Each step takes the stream that it is given and makes the next one of it. A client
 * who takes too long, or does not know the way, is closed and counted.
 */
import type { Socket } from 'node:net'
import { counter, type FailureName, type Meter } from '../../metrics/meter.ts'
import { timerMaxMs } from '../../options.ts'
import type { ServeTask } from '../../task.ts'
import { transports } from '../../transport.ts'
import { failureName } from '../failures.ts'
import type { Forwarded } from '../proxy-header.ts'
import { noteForwarded } from './client-ledger.ts'
import type { Echo } from './echo.ts'

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

/** So many may be on their way in at the same time; the others are not read from meanwhile. */
const insideMax = 1_000

/**
 * An echo that lets its clients in by steps, at most so long each. Where the PROXY header may be
 * left out, time begins with the first byte: who is silent is no burden, as on plain tcp.
 */
export class Entrance implements Echo {
  readonly #steps: readonly Step[]
  readonly #echo: Echo
  readonly #counters: Float64Array
  readonly #timeoutMs: number
  readonly #patient: boolean
  /** Those of whom nothing has come. */
  readonly #silent = new Set<Socket>()
  /** Those who are through, by the socket that was accepted. */
  readonly #admitted = new WeakMap<Socket, Socket>()
  readonly #leaving = new WeakSet<Socket>()
  readonly #queue: Socket[] = []
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
    if (!this.#patient) return this.#knock(raw)
    this.#silent.add(raw)
    heardOf(raw, () => this.#silent.delete(raw) && this.#knock(raw))
  }

  finish(raw: Socket): void {
    const socket = this.#admitted.get(raw)
    this.#leaving.add(raw)
    if (socket) this.#echo.finish(socket)
    else if (this.#silent.delete(raw) || this.#queue.includes(raw)) raw.destroy()
  }

  #knock(raw: Socket) {
    if (this.#inside < insideMax) void this.#enter(raw)
    else this.#queue.push(raw)
  }

  async #enter(raw: Socket) {
    this.#inside++
    const admission: Admission = { raw }
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#turnOut(raw, 'timedOut')
    }, this.#timeoutMs)
    try {
      let socket = raw
      for (const step of this.#steps) socket = await step(socket, admission)
      if (!raw.destroyed) this.#admit(socket, admission)
    } catch (error) {
      const reason = failureName(error)
      // Whoever looks whether there is somebody, and says nothing, has failed at nothing.
      const silent = raw.bytesRead === 0 && reason === 'closedEarly'
      if (!late && !silent) this.#turnOut(raw, reason)
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
    const raw = this.#queue.shift()
    if (!raw) return
    if (raw.destroyed) this.#next()
    else void this.#enter(raw)
  }
}

/** Calls once something has come, or nothing more will. */
function heardOf(socket: Socket, listener: () => void): void {
  const events = ['readable', 'end', 'close']
  const heard = () => {
    for (const event of events) socket.off(event, heard)
    listener()
  }
  for (const event of events) socket.on(event, heard)
}
