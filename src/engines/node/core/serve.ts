/** Serves clients over node:net: which to admit, which to let wait, and when to leave. */
import type { Socket } from 'node:net'
import { formatAddress, type Address } from '../../../vocabulary/address.ts'
import type { Ending } from '../../../metrics/ledger.ts'
import { counter, type CounterName, type Meter } from '../../../metrics/meter.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import type { ServeTask } from '../../../task.ts'
import { descriptorLimit, descriptorRetryMs, reserved } from '../../os/descriptors.ts'
import { threadAccounts } from '../../accounts.ts'
import type { HoldBack } from '../../backpressure.ts'
import type { OpenTask } from '../../engine.ts'
import { partingOf } from '../../leave.ts'
import { ClientLedger } from './ledger.ts'
import { drain } from './drain.ts'
import { loadLibc } from '../../os/libc.ts'
import { closeDeadPeers } from './dead-peers.ts'
import { closeIdle } from './idle-clients.ts'
import { handleDescriptor, type ClientListener, type Listen } from './listener.ts'
import { Handshakes } from './handshakes.ts'
import type { CreateProtocol, EchoHandler, Handshake, ServerProtocol } from './protocol.ts'
import { Unfinished } from './unfinished.ts'

/** The protocol, and the connections that are still in their handshake. */
interface OpenProtocol extends ServerProtocol {
  readonly unfinished: Unfinished
}

const limit = descriptorLimit()
/** The system gives the lowest free number, so a high number says that few are left. */
const highDescriptor = limit - reserved(limit)
/**
 * Node allocates 64 KiB for every read and frees them soon. In a thread that is not the main one,
 * glibc gives such memory back to the system at once. For the next read the system clears and maps
 * it again, which takes a third of the processor time of bulk echo (measure `bulk` of benchmarks/).
 */
const keptBytes = 32 * 2 ** 20

/** How a transport serves. */
export interface Serves {
  listen: Listen
  /** The handshakes before those of the protocol. */
  handshakes: readonly Handshake[]
  create: CreateProtocol
}

export async function openServe(
  task: ServeTask,
  meter: Meter,
  { listen, handshakes, create }: Serves,
): Promise<OpenTask> {
  const libc = loadLibc()
  if (typeof libc !== 'string') libc.keepFreed(keptBytes)
  const unfinished = new Unfinished()
  // The only place at which clients that do not read are paused, for all protocols.
  const holdBack: HoldBack = client => void client.pause()
  const protocol = await create(task, meter, { unfinished, holdBack })
  const all = [...handshakes, ...(protocol.handshakes ?? [])]
  // Without handshakes connections go directly to the echo.
  const echo =
    all.length === 0 ? protocol.echo : new Handshakes(all, protocol.echo, unfinished, task, meter)
  const server = new OpenServer(task, meter, { ...protocol, echo, unfinished })
  server.listener = await listen(task, server)
  if (task.ledger) threadAccounts().urls.push(formatAddress(server.address))
  return server
}

class OpenServer implements OpenTask {
  listener!: ClientListener
  readonly #task: ServeTask
  readonly #counters: Float64Array
  readonly #echo: EchoHandler
  readonly #protocol: OpenProtocol
  readonly #ledger: ClientLedger | undefined
  readonly #accounts: ReturnType<typeof threadAccounts> | undefined
  readonly #clients = new Set<Socket>()
  /** Clients that were accepted but must wait, because accepting cannot be paused. */
  readonly #waiting: Socket[] = []
  #accepting = true
  /**
   * Whether the server accepts although it is full, since it can close a slow handshake for a new
   * client.
   */
  #openForTakeover = false
  #draining = false
  /** Whether descriptors have ever run low. */
  #ranLow = false
  #retry: NodeJS.Timeout | undefined
  #stopTimers: () => void = () => {}
  readonly #stopLooking: () => void
  #finish!: () => void
  readonly #finished = new Promise<void>(resolve => (this.#finish = resolve))

  constructor(task: ServeTask, meter: Meter, protocol: OpenProtocol) {
    this.#task = task
    this.#counters = meter.counters
    this.#protocol = protocol
    this.#echo = protocol.echo
    this.#ledger = task.ledger && new ClientLedger(task.ledger)
    this.#accounts = task.ledger && threadAccounts()
    protocol.unfinished.onScan(() => this.#makeRoom())
    this.#stopLooking = closeDeadPeers(this.#clients, socket =>
      this.#close(socket, 'reset', 'reset'),
    )
    if (task.idleTimeoutMs > 0) {
      this.#stopTimers = closeIdle(this.#clients, task.idleTimeoutMs, socket =>
        this.#close(socket, 'idleClosed', 'idle'),
      )
    }
  }

  #close(socket: Socket, name: CounterName, ending: Ending) {
    this.#count(name)
    this.#ledger?.closing(socket, ending)
    socket.destroy()
  }

  get address(): Address {
    return this.listener.address
  }

  run(): Promise<void> {
    return this.#finished
  }

  setFaults(faults: readonly FaultSpec[]): void {
    this.#protocol.setFaults?.(faults)
  }

  /** A client was accepted. */
  onClient(socket: Socket): void {
    if (this.#clients.size < this.#task.concurrency) return this.#serve(socket)
    this.#hold(socket)
    if (this.#openForTakeover && !this.#protocol.unfinished.makeRoom()) {
      this.#openForTakeover = false
      this.#pause('pausedForConcurrency')
    }
  }

  /**
   * At the limit, a client that is slow in its handshake is closed if another client waits. Whether
   * a client waits in the backlog is known only when it is accepted. Then it is served, or waits
   * here.
   */
  #makeRoom() {
    const { unfinished } = this.#protocol
    if (!this.#accepting) return
    for (let n = this.#waiting.length; n > 0; n--) if (!unfinished.makeRoom()) return
    if (!this.listener.paused || !unfinished.hasSlow) return
    // The next client needs a descriptor, even if it only waits.
    if (this.#clients.size < this.#task.concurrency) unfinished.makeRoom()
    else {
      this.#openForTakeover = true
      this.listener.resume()
    }
  }

  /** A client was closed unserved, because it could neither be served nor wait. */
  onDropped(): void {
    this.#count('turnedAway')
  }

  #count(name: CounterName) {
    this.#counters[counter[name]]!++
  }

  #serve(socket: Socket) {
    this.#clients.add(socket)
    this.#count('opened')
    this.#ledger?.opened(socket)
    this.#accounts?.opened(socket, formatAddress(this.address))
    this.#echo.start(socket)
    socket.on('close', () => this.#onGone(socket))
    if (this.#task.oneOff) this.#stopAccepting()
    else if (this.#clients.size >= this.#task.concurrency) this.#pause('pausedForConcurrency')
    else if (this.#descriptorsRunLow(socket)) this.#pause('pausedForDescriptors')
  }

  /**
   * Whether the next client would get a high descriptor number, which shows that descriptors run
   * low. (A low number of this client shows nothing: it may have been the only free one.) Finding
   * out costs two system calls, so this is called only if needed.
   */
  #descriptorsRunLow(socket: Socket): boolean {
    const isHigh = handleDescriptor(socket) >= highDescriptor
    if (isHigh) this.#ranLow = true
    return isHigh || (this.#ranLow && this.listener.nextDescriptor() >= highDescriptor)
  }

  #hold(socket: Socket) {
    socket.pause()
    this.#waiting.push(socket)
    this.#count('queued')
    // A waiting client may leave; then it must not be served.
    socket
      .on('error', () => {})
      .once('close', () => {
        const place = this.#waiting.indexOf(socket)
        if (place === -1) return
        this.#waiting.splice(place, 1)
        this.#count('dequeued')
      })
  }

  #pause(reason: 'pausedForConcurrency' | 'pausedForDescriptors') {
    if (this.listener.paused) return
    this.#count(reason)
    this.#openForTakeover = false
    if (this.listener.pause()) {
      if (reason === 'pausedForDescriptors') this.#letInLater()
    } else if (reason === 'pausedForDescriptors') {
      this.listener.turnAwayBeyond(this.#clients.size + this.#waiting.length)
    }
  }

  #onGone(socket: Socket) {
    this.#clients.delete(socket)
    this.#count('closed')
    this.#ledger?.closed(socket)
    if (this.#accepting) this.#letIn()
    else if (this.#clients.size === 0) this.#leave()
  }

  /** A place is free: serves the next waiting client, here or in the backlog. */
  #letIn() {
    clearTimeout(this.#retry)
    const next = this.#waiting.shift()
    if (next) {
      this.#count('dequeued')
      // Resumes before the echo starts, since the echo may pause the stream again.
      next.resume()
      this.#serve(next)
    } else if (this.listener.paused) {
      if (this.listener.nextDescriptor() >= highDescriptor) this.#letInLater()
      else this.listener.resume()
    }
  }

  #letInLater() {
    this.#retry = setTimeout(() => this.#letIn(), descriptorRetryMs)
  }

  #stopAccepting() {
    this.#accepting = false
    clearTimeout(this.#retry)
    this.listener.close()
    for (const socket of this.#waiting.splice(0)) {
      this.#count('dequeued')
      if (partingOf('queued') === 'cut') socket.destroy()
    }
  }

  stop(now: boolean): void {
    if (this.#accepting) this.#stopAccepting()
    if (!this.#draining) this.#stopTimers()
    if (now) for (const socket of this.#clients) socket.destroy()
    if (this.#clients.size === 0) return this.#leave()
    if (now || this.#draining) return
    this.#draining = true
    this.#stopTimers = drain(this.#clients, this.#task.drainMs, socket => this.#echo.finish(socket))
  }

  #leave() {
    this.#stopTimers()
    this.#stopLooking()
    this.#ledger?.stop()
    this.#finish()
  }
}
