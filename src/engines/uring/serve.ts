/** Serves clients on a ring: how many to accept, how to wait, and when to leave. */
import type { Address } from '../../vocabulary/address.ts'
import { transports } from '../../vocabulary/transport.ts'
import { counter, stopWord, type CounterName, type Meter } from '../../metrics/meter.ts'
import type { ServeTask } from '../../task.ts'
import { descriptorLimit } from '../os/descriptors.ts'
import type { OpenTask } from '../engine.ts'
import { loadLibc, type Libc } from '../os/libc.ts'
import { loadOpenSsl, type OpenSsl } from '../os/openssl.ts'
import { listenOn, type ListeningSocket } from '../os/sockets.ts'
import { Admission } from './admission.ts'
import { Arena, BufferRing } from './memory.ts'
import { Bulk } from './bulk.ts'
import { ClientLedger } from './client-ledger.ts'
import { kind, completionOf, slotOf, unknownKind } from './entries.ts'
import { Connections } from './connections.ts'
import { FreedMemory } from './freed-memory.ts'
import * as k from './kernel.ts'
import type { Layer, SendMemory } from './layer.ts'
import { Ring } from './ring.ts'
import { TlsLayer } from './tls/layer.ts'
import { Waiter } from './waiter.ts'
import { WsLayer } from './ws/layer.ts'
import { isDrainOver, quietMs } from '../leave.ts'
import { idleScans } from '../slow-clients.ts'

const ringEntries = 4096
const ringCompletions = 16_384
/**
 * The buffers have 512 KiB for all connections together; they are free one turn later. So 512 KiB
 * is also the most that one turn can add to the unsent bytes of a client that does not read.
 */
const ringBuffers = 16
const ringBufferBytes = 32_768
/** The most clients of a thread; more need a second thread. A slot costs the kernel 8 bytes. */
const slotsMax = 2 ** 17
/** How often to look at the stop word, idle connections and pauses. */
const tickMs = 50

export async function openServe(task: ServeTask, meter: Meter): Promise<OpenTask> {
  const libc = loadLibc() as Libc
  const listener = await listenOn(libc, task.address, task.sharePort)
  try {
    return new OpenServer(task, meter, libc, listener)
  } catch (error) {
    listener.close()
    throw error
  }
}

class OpenServer implements OpenTask {
  readonly address: Address
  readonly #task: ServeTask
  readonly #meter: Meter
  readonly #listener: ListeningSocket
  readonly #ring: Ring
  readonly #bufferRing: BufferRing
  readonly #arena: Arena
  readonly #connections: Connections
  readonly #admission: Admission
  readonly #ledger: ClientLedger | undefined
  readonly #layer: Layer | undefined
  readonly #waiter: Waiter
  readonly #freed: FreedMemory
  #accepting = true
  /** 0 until it is time to leave; then when that was, in ms. */
  #leavingSinceMs = 0
  #nextIdleScanMs: number

  constructor(task: ServeTask, meter: Meter, libc: Libc, listener: ListeningSocket) {
    this.address = listener.address
    this.#task = task
    this.#meter = meter
    this.#listener = listener
    const slots = Math.min(task.concurrency, descriptorLimit(), slotsMax)
    const ring = new Ring(libc, ringEntries, ringCompletions)
    ring.registerFileTable(slots)
    this.#ring = ring
    this.#bufferRing = new BufferRing(libc, ring, ringBuffers, ringBufferBytes)
    this.#arena = new Arena(libc)
    const hasNames = task.address.transport !== 'unix'
    this.#ledger = task.ledger && new ClientLedger(task.ledger, libc, ring, slots, hasNames)
    const bulk = new Bulk({ libc, ring }, meter.counters, this.#ledger?.received, slots)
    this.#layer = this.#layerFor(libc, slots)
    const memory = {
      ring,
      bufferRing: this.#bufferRing,
      arena: this.#arena,
      bulk,
      layer: this.#layer,
    }
    const onLeft = () => this.#admission.onLeft()
    this.#connections = new Connections(memory, meter, slots, onLeft, this.#ledger)
    const reason = slots < task.concurrency ? 'pausedForDescriptors' : 'pausedForConcurrency'
    const capacity = task.oneOff ? 1 : slots
    this.#admission = new Admission(ring, listener.fd, capacity, () => this.#count(reason))
    this.#freed = new FreedMemory(libc, meter, this.#layer !== undefined)
    this.#waiter = new Waiter(libc, ring, task.busyPollUs)
    this.#nextIdleScanMs = performance.now() + task.idleTimeoutMs / idleScans
  }

  /** The layer between the bytes on the wire and the echo; undefined if there is none. */
  #layerFor(libc: Libc, slots: number): Layer | undefined {
    const [task, meter, received] = [this.#task, this.#meter, this.#ledger?.received]
    const waits = () => libc.hasInput(this.#listener.fd)
    const { protocol } = transports[task.address.transport]
    const inside = (source: SendMemory) => new WsLayer(source, task, meter, slots, received, waits)
    const spoken = protocol === 'ws' ? inside : undefined
    if (!task.tls) return spoken?.(this.#bufferRing)
    const all = { ssl: loadOpenSsl() as OpenSsl, libc, bufferRing: this.#bufferRing }
    return new TlsLayer(all, task, meter, slots, received, waits, spoken)
  }

  #count(name: CounterName): void {
    this.#meter.counters[counter[name]]!++
  }

  /** No call can reach this while run() blocks the thread: the meter's stop word does. */
  stop(): void {}

  /** Blocks this thread until it has left; only the meter's stop word reaches it. */
  async run(): Promise<void> {
    const [ring, connections] = [this.#ring, this.#connections]
    this.#waiter.startTicks(tickMs)
    this.#admission.open()
    for (;;) {
      const { due, lastSends, moved } = connections.beginTurn()
      // While pages are moved, single microseconds do not matter, so the waiter does not poll.
      this.#waiter.wait(due.length > 0 ? 'not at all' : lastSends, !moved)
      ring.submitAll()
      let ticked = this.#reap()
      // Completions that overflowed the queue: the result of a send may be among them.
      while (ring.words[ring.sqFlags]! & k.sq.CQ_OVERFLOW) {
        ring.flush()
        if (this.#reap()) ticked = true
      }
      connections.endTurn(due)
      if (ticked && this.#onTick(performance.now())) break
    }
    this.#close()
  }

  /** Handles all completions that are there. Returns whether the clock ticked. */
  #reap(): boolean {
    const [ring, connections] = [this.#ring, this.#connections]
    const { words, cqHead, cqTail, cqes } = ring
    const mask = ring.completions - 1
    let ticked = false
    let head = words[cqHead]!
    const tail = Atomics.load(words, cqTail)
    for (; head !== tail; head = (head + 1) | 0) {
      const at = cqes + ((head & mask) << 2)
      const user0 = words[at]!
      const user1 = words[at + 1]!
      const result = words[at + 2]!
      const flags = words[at + 3]!
      const of = completionOf(user0)
      const slot = slotOf(user0)
      switch (of) {
        case kind.RECV:
          connections.onRecv(slot, user1, result, flags)
          break
        case kind.SEND:
          connections.onSendFailed(slot, user1, result)
          break
        case kind.REST:
          connections.onRest(slot, result)
          break
        case kind.ACCEPT:
          if (this.#admission.onAccept(result, flags)) {
            connections.onAccepted(result)
            if (this.#task.oneOff) this.#stopAccepting()
          }
          break
        case kind.INSTALLED:
          this.#ledger?.onInstalled(slot, user1, result)
          break
        case kind.POLL:
          connections.onPolled(slot, user1, result)
          break
        case kind.INSTALLED_FOR_BULK:
          connections.onInstalled(slot, user1, result)
          break
        case kind.FINISHED:
          connections.onFinished(slot)
          break
        case kind.TICK:
          this.#waiter.onTick(flags)
          ticked = true
          break
        case kind.IGNORED:
        case kind.CONNECT:
          break
        default:
          unknownKind(of)
      }
    }
    Atomics.store(words, cqHead, head)
    return ticked
  }

  /** Work that depends on the time. Returns whether the server has left. */
  #onTick(nowMs: number): boolean {
    const stop = this.#meter.stopping
    this.#ledger?.onTick(this.#connections)
    this.#connections.onTick()
    if (this.#layer?.onTick(nowMs, this.#admission.isFull)) this.#freed.noteFreed()
    if (stop !== stopWord.run) return this.#leave(stop, nowMs)
    this.#admission.onTick()
    if (this.#task.idleTimeoutMs > 0 && nowMs >= this.#nextIdleScanMs) {
      this.#connections.closeIdle()
      this.#nextIdleScanMs = nowMs + this.#task.idleTimeoutMs / idleScans
    }
    this.#arena.trim()
    this.#freed.onTick(nowMs)
    return this.#task.oneOff && this.#admission.admitted > 0 && this.#connections.table.open === 0
  }

  #stopAccepting(): void {
    if (!this.#accepting) return
    this.#accepting = false
    this.#admission.close()
    this.#listener.close()
  }

  #leave(stop: number, nowMs: number): boolean {
    if (this.#leavingSinceMs === 0) {
      this.#leavingSinceMs = nowMs
      this.#stopAccepting()
      this.#waiter.startTicks(quietMs)
    }
    const time = { drainMs: this.#task.drainMs, leavingMs: nowMs - this.#leavingSinceMs }
    const { table } = this.#connections
    const isNow = stop === stopWord.now
    if (isNow || isDrainOver(time))
      for (let slot = 0; slot < table.slotsUsed; slot++)
        if (isNow || table.isTold(slot)) this.#connections.giveUp(slot)
    if (!isNow) this.#connections.leave(time)
    return table.open === 0
  }

  #close(): void {
    this.#stopAccepting()
    this.#connections.close()
    this.#ring.close()
    this.#layer?.close()
    this.#bufferRing.close()
    this.#arena.trim()
    this.#waiter.close()
  }
}
