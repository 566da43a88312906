/**
 * The pool: one thread always waits in accept(). When it gets a client, another thread starts, up
 * to the limit. So there is one thread more than there are clients.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Address } from '../../vocabulary/address.ts'
import { counter, counterNames, type Meter } from '../../metrics/meter.ts'
import type { ServeTask } from '../../task.ts'
import type { OpenTask } from '../engine.ts'
import { descriptorRetryMs } from '../os/descriptors.ts'
import { loadLibc, type Libc } from '../os/libc.ts'
import { listenOn, type ListeningSocket } from '../os/sockets.ts'
import { ClientLedger, type ThreadMemory } from './client-ledger.ts'
import type { ClientThreadInput, FromClientThread } from './client-thread.ts'
import { SHUT_RDWR } from '../os/kernel-numbers.ts'

/** A thread takes some megabytes, so even `unlimited` has a limit. */
export const threadsMax = 512
/** How often the counters of the threads are added up. */
const sumMs = 20

const threadUrl = new URL(`./client-thread${extname(import.meta.url)}`, import.meta.url)

export async function openServe(task: ServeTask, meter: Meter): Promise<OpenTask> {
  const libc = loadLibc() as Libc
  return new ClientThreads(task, meter, libc, await listenOn(libc, task.address, false))
}

class ClientThreads implements OpenTask {
  readonly address: Address
  readonly #task: ServeTask
  readonly #meter: Meter
  readonly #libc: Libc
  readonly #listener: ListeningSocket
  /** The counts of the threads that run, and of those that have ended. */
  readonly #running = new Map<Worker, ThreadMemory>()
  readonly #ended = new Float64Array(counterNames.length)
  /** One word that all threads look at: how to stop (see stopWord). */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4))
  /** The ledger; undefined if it is off. */
  readonly #ledger: ClientLedger | undefined
  #waiting = 0
  #retry: NodeJS.Timeout | undefined
  readonly #summing: NodeJS.Timeout
  #finish!: () => void
  #fail!: (error: Error) => void
  readonly #finished = new Promise<void>((resolve, reject) => {
    this.#finish = resolve
    this.#fail = reject
  })

  constructor(task: ServeTask, meter: Meter, libc: Libc, listener: ListeningSocket) {
    this.address = listener.address
    this.#task = task
    this.#meter = meter
    this.#libc = libc
    this.#listener = listener
    this.#ledger = task.ledger && new ClientLedger(task.ledger)
    this.#summing = setInterval(() => {
      this.#sum()
      this.#ledger?.onTick(this.#running)
    }, sumMs)
    this.#startThread()
  }

  run(): Promise<void> {
    return this.#finished
  }

  #startThread() {
    const counters = new Float64Array(
      new SharedArrayBuffer(counterNames.length * Float64Array.BYTES_PER_ELEMENT),
    )
    const kill = new Int32Array(new SharedArrayBuffer(4))
    const { idleTimeoutMs, drainMs, oneOff, concurrency } = this.#task
    // The threads of a pool are used again; without a limit of clients a thread ends with its
    // client.
    const clients = oneOff || concurrency > threadsMax ? 1 : Infinity
    const listenFd = this.#listener.fd
    const own = { listenFd, counters, stop: this.#stop, clients }
    const watched = { kill: this.#ledger && kill }
    const workerData: ClientThreadInput = { ...own, idleTimeoutMs, drainMs, ...watched }
    const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 }
    const thread = new Worker(threadUrl, { workerData, resourceLimits, name: 'yodel client' })
    this.#running.set(thread, { counters, kill })
    this.#waiting++
    thread.on('message', (message: FromClientThread) => this.#hear(thread, message))
    thread.once('error', error => this.#onError(error))
    thread.once('exit', () => this.#onExit(thread, counters))
  }

  #hear(thread: Worker, message: FromClientThread) {
    if (typeof message === 'object') {
      if ('peer' in message) this.#ledger?.opened(thread, message)
      else this.#ledger?.closed(thread, message)
      return
    }
    this.#waiting += message === 'waiting' ? 1 : -1
    this.#keepOneWaiting()
  }

  /**
   * A thread could not start because no descriptors are left: clients wait in the backlog
   * meanwhile.
   */
  #onError(error: Error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_INIT_FAILED') return this.#fail(error)
    this.#ended[counter.pausedForDescriptors]!++
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.#waiting--
      this.#keepOneWaiting()
    }, descriptorRetryMs)
  }

  #keepOneWaiting() {
    const stopping = this.#stop[0] !== 0 || this.#task.oneOff
    const most = Math.min(this.#task.concurrency, threadsMax)
    if (!stopping && this.#waiting === 0 && this.#running.size < most) this.#startThread()
  }

  #onExit(thread: Worker, counters: Float64Array) {
    this.#running.delete(thread)
    for (const [index, count] of counters.entries()) this.#ended[index]! += count
    this.#keepOneWaiting()
    if (this.#running.size > 0 || (this.#retry && this.#stop[0] === 0)) return
    clearTimeout(this.#retry)
    clearInterval(this.#summing)
    this.#sum()
    this.#listener.close()
    this.#finish()
  }

  /** The meter has one writer: this thread. */
  #sum() {
    const summed = this.#meter.counters
    for (let index = 0; index < summed.length; index++) {
      let sum = this.#ended[index]!
      for (const { counters } of this.#running.values()) sum += counters[index]!
      summed[index] = sum
    }
  }

  stop(now: boolean): void {
    Atomics.store(this.#stop, 0, now ? 2 : 1)
    // A thread that waits in accept() gets EINVAL.
    this.#libc.shutdown(this.#listener.fd, SHUT_RDWR)
  }
}
