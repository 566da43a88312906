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
import type { Unfinished } from './unfinished.ts'

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

/** Who is on its way. */
interface Guest {
  raw: Socket
  /** Ends its time; not set as long as that does not run. */
  timer: NodeJS.Timeout | undefined
  /** By how it was turned out nothing else is counted. */
  turnedOut: boolean
  /** How many looks there were before its first step; undefined before that. */
  enteredAt: number | undefined
}

/** So many may be on their way in at the same time; of the others only a little is read. */
const insideMax = 1_000

/**
 * An echo that lets its clients in by steps, at most so long each. Who is silent has not begun, and
 * so takes nobody's place; but its time runs. Only where the PROXY header may be left out it begins
 * with the first byte: there silence is no burden, as on plain tcp.
 */
export class Entrance implements Echo {
  readonly #steps: readonly Step[]
  readonly #echo: Echo
  readonly #unfinished: Unfinished
  readonly #counters: Float64Array
  readonly #timeoutMs: number
  readonly #patient: boolean
  /** All who are not through. */
  readonly #guests = new Map<Socket, Guest>()
  /** Those who are through, by the socket that was accepted. */
  readonly #admitted = new WeakMap<Socket, Socket>()
  readonly #leaving = new WeakSet<Socket>()
  readonly #queue: Guest[] = []
  /** Within the steps, the one that entered first before all others. */
  readonly #inside = new Set<Guest>()

  constructor(
    steps: readonly Step[],
    echo: Echo,
    unfinished: Unfinished,
    task: ServeTask,
    { counters }: Meter,
  ) {
    const { handshakeTimeoutMs, proxy, address } = task
    const { carries, secure } = transports[address.transport]
    this.#steps = steps
    this.#echo = echo
    this.#unfinished = unfinished
    this.#counters = counters
    this.#timeoutMs = Math.min(handshakeTimeoutMs, timerMaxMs)
    this.#patient = proxy?.mode === 'accept' && carries === 'bytes' && !secure
    unfinished.onLook(() => this.#makeRoom())
  }

  start(raw: Socket): void {
    // What breaks on the way in is known by the step that reads; here it must only not be thrown.
    raw.on('error', () => {})
    if (isGone(raw)) return void raw.destroy()
    const guest: Guest = { raw, timer: undefined, turnedOut: false, enteredAt: undefined }
    this.#guests.set(raw, guest)
    raw.once('close', () => this.#forget(guest))
    if (!this.#patient) this.#setTime(guest)
    heardOf(raw, () => {
      if (raw.destroyed) return
      // Whoever looks whether there is somebody, and says nothing, has failed at nothing.
      if (raw.bytesRead === 0) raw.destroy()
      else {
        if (this.#patient) this.#setTime(guest)
        this.#knock(guest)
      }
    })
  }

  #setTime(guest: Guest) {
    const late = () => this.#turnOut(guest, 'timedOut')
    guest.timer = setTimeout(late, this.#timeoutMs)
    this.#unfinished.add(guest.raw, late)
  }

  #forget({ raw, timer }: Guest) {
    clearTimeout(timer)
    this.#unfinished.delete(raw)
    this.#guests.delete(raw)
  }

  finish(raw: Socket): void {
    const socket = this.#admitted.get(raw)
    this.#leaving.add(raw)
    if (socket) this.#echo.finish(socket)
    else if (this.#guests.get(raw)?.enteredAt === undefined) raw.destroy()
  }

  #knock(guest: Guest) {
    if (this.#inside.size < insideMax) void this.#enter(guest)
    else this.#queue.push(guest)
  }

  /** Whoever waits takes the place of somebody who has had its time. */
  #makeRoom() {
    let waiting = this.#queue.length
    for (const guest of this.#inside) {
      if (waiting === 0) return
      if (guest.turnedOut || !this.#unfinished.isSlow(guest.raw, guest.enteredAt!)) continue
      waiting--
      this.#turnOut(guest, 'timedOut')
    }
  }

  async #enter(guest: Guest) {
    const { raw } = guest
    this.#inside.add(guest)
    guest.enteredAt = this.#unfinished.looks
    const admission: Admission = { raw }
    try {
      let socket = raw
      for (const step of this.#steps) socket = await step(socket, admission)
      if (!raw.destroyed) this.#admit(guest, socket, admission)
    } catch (error) {
      this.#turnOut(guest, failureName(error))
    } finally {
      this.#inside.delete(guest)
      this.#next()
    }
  }

  #admit(guest: Guest, socket: Socket, admission: Admission) {
    const { raw } = admission
    this.#forget(guest)
    this.#admitted.set(raw, socket)
    if (admission.forwarded) noteForwarded(raw, admission.forwarded)
    this.#echo.start(socket, admission)
    if (this.#leaving.has(raw)) this.#echo.finish(socket)
  }

  #turnOut(guest: Guest, reason: FailureName) {
    if (guest.turnedOut) return
    guest.turnedOut = true
    this.#counters[counter.handshakesFailed]!++
    this.#counters[counter[reason]]!++
    guest.raw.destroy()
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
