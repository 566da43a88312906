/**
 * Takes a connection through its handshakes, from accepting to serving: the PROXY header, TLS, the
 * upgrade to WebSocket. A connection that fails in one, or takes too long, is closed and counted.
 */
import type { Socket } from 'node:net'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { threadAccounts } from '../../accounts.ts'
import { failureName } from '../../failures.ts'
import { partingOf } from '../../leave.ts'
import { underWayMax } from '../../slow-clients.ts'
import { noteForwarded } from './ledger.ts'
import type { AcceptedSocket, EchoHandler, Handshake } from './protocol.ts'
import { heardOf } from './peek.ts'
import type { Unfinished } from './unfinished.ts'

/** A connection that is not served yet. */
interface Pending {
  raw: Socket
  /** The timeout of the handshake; undefined before it runs. */
  timer: NodeJS.Timeout | undefined
  /** The connection was refused and counted: later errors are not counted again. */
  refused: boolean
  /** How many scans (Unfinished.scans) there had been when its first handshake began. */
  beganAt: number | undefined
}

/**
 * An echo behind handshakes, which have a time limit. A silent client has not begun its
 * handshake and takes no place, but its time runs. Where the PROXY header is optional, the time
 * begins with the first byte: the client may be one that sends no header, and such a client may be
 * silent.
 */
export class Handshakes implements EchoHandler {
  readonly #handshakes: readonly Handshake[]
  readonly #echo: EchoHandler
  readonly #unfinished: Unfinished
  readonly #counters: Float64Array
  readonly #timeoutMs: number
  readonly #accounts: ReturnType<typeof threadAccounts> | undefined
  readonly #startsSilent: boolean
  /** Connections that are not served yet. */
  readonly #pending = new Map<Socket, Pending>()
  /** The streams of the connections that are served, by the accepted socket. */
  readonly #served = new WeakMap<Socket, Socket>()
  readonly #leaving = new WeakSet<Socket>()
  readonly #queue: Pending[] = []
  /** Connections in a handshake, the oldest first. */
  readonly #underWay = new Set<Pending>()

  constructor(
    handshakes: readonly Handshake[],
    echo: EchoHandler,
    unfinished: Unfinished,
    task: ServeTask,
    { counters }: Meter,
  ) {
    const { handshakeTimeoutMs, proxy, address } = task
    const { carries, secure } = transports[address.transport]
    this.#handshakes = handshakes
    this.#echo = echo
    this.#unfinished = unfinished
    this.#counters = counters
    this.#timeoutMs = Math.min(handshakeTimeoutMs, timerMaxMs)
    this.#startsSilent = proxy?.mode === 'accept' && carries === 'bytes' && !secure
    this.#accounts = task.ledger && threadAccounts()
    unfinished.onScan(() => this.#makeRoom())
  }

  start(raw: Socket): void {
    // The handshake reports the error; this listener only keeps it from being thrown.
    raw.on('error', () => {})
    if (isGone(raw)) return void raw.destroy()
    const pending: Pending = { raw, timer: undefined, refused: false, beganAt: undefined }
    this.#pending.set(raw, pending)
    raw.once('close', () => this.#forget(pending))
    if (!this.#startsSilent) this.#startTimer(pending)
    heardOf(raw, () => {
      if (raw.destroyed) return
      // A probe that connects and sends nothing is not a failure.
      if (raw.bytesRead === 0) raw.destroy()
      else {
        if (this.#startsSilent) this.#startTimer(pending)
        this.#begin(pending)
      }
    })
  }

  #startTimer(pending: Pending) {
    const late = () => this.#refuse(pending, 'timedOut')
    pending.timer = setTimeout(late, this.#timeoutMs)
    this.#unfinished.add(pending.raw, late)
  }

  #forget({ raw, timer }: Pending) {
    clearTimeout(timer)
    this.#unfinished.delete(raw)
    this.#pending.delete(raw)
  }

  finish(raw: Socket): void {
    const socket = this.#served.get(raw)
    this.#leaving.add(raw)
    if (socket) return this.#echo.finish(socket)
    const hasBegun = this.#pending.get(raw)?.beganAt !== undefined
    if (partingOf(hasBegun ? 'handshake' : 'silent') === 'cut') raw.destroy()
  }

  #begin(pending: Pending) {
    if (this.#underWay.size < underWayMax) void this.#run(pending)
    else this.#queue.push(pending)
  }

  /** Refuses as many slow handshakes as there are connections that wait for a place. */
  #makeRoom() {
    let waiting = this.#queue.length
    for (const pending of this.#underWay) {
      if (waiting === 0) return
      if (pending.refused || !this.#unfinished.isSlow(pending.raw, pending.beganAt!)) continue
      waiting--
      this.#refuse(pending, 'timedOut')
    }
  }

  async #run(pending: Pending) {
    const { raw } = pending
    this.#underWay.add(pending)
    pending.beganAt = this.#unfinished.scans
    const accepted: AcceptedSocket = { raw }
    try {
      let socket = raw
      for (const handshake of this.#handshakes) socket = await handshake(socket, accepted)
      if (!raw.destroyed) this.#serve(pending, socket, accepted)
    } catch (error) {
      this.#refuse(pending, failureName(error))
    } finally {
      this.#underWay.delete(pending)
      this.#next()
    }
  }

  #serve(pending: Pending, socket: Socket, accepted: AcceptedSocket) {
    const { raw } = accepted
    this.#forget(pending)
    this.#served.set(raw, socket)
    if (accepted.forwarded) noteForwarded(raw, accepted.forwarded)
    this.#accounts?.begun(raw, accepted.forwarded)
    this.#echo.start(socket, accepted)
    if (this.#leaving.has(raw)) this.#echo.finish(socket)
  }

  #refuse(pending: Pending, reason: FailureName) {
    if (pending.refused) return
    pending.refused = true
    this.#counters[counter.handshakesFailed]!++
    this.#counters[counter[reason]]!++
    pending.raw.destroy()
  }

  #next() {
    const pending = this.#queue.shift()
    if (!pending) return
    if (pending.raw.destroyed) this.#next()
    else void this.#run(pending)
  }
}

/**
 * Whether the connection was reset before this server looked at it. Then the system no longer knows
 * its address, which decides whether a PROXY header is trusted. Peers of a unix socket have no
 * addresses at all.
 */
const isGone = ({ remoteAddress, localAddress }: Socket): boolean =>
  remoteAddress === undefined && localAddress !== undefined
