/** Reopens connections that broke, through the ring of their load, each after its backoff. */
import { getSystemErrorName } from 'node:util'
import { backoffMs } from '../../load/backoff.ts'
import { DueHeap } from '../../load/due-heap.ts'
import { triesOf } from '../../load/outages.ts'
import type { Stream } from '../../load/stream.ts'
import type { Traffic } from '../../load/traffic.ts'
import { counter } from '../../metrics/meter.ts'
import { sourceOf } from '../../options/route.ts'
import type { LoadTask } from '../../task.ts'
import { errnoOf, failureName, reasonWhy } from '../failures.ts'
import { systemError, type Libc, type Mapping } from '../os/libc.ts'
import { attemptDelayMs, tellingCode } from '../os/resolver.ts'
import { waysTo, type UnconnectedSocket } from '../os/sockets.ts'
import { isStamped } from '../stamped.ts'
import { dialsAtOnce } from './dial.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import type { Ring } from './ring.ts'

/** How often to check whether the address of a name is known. */
const lookNs = 1e6
/** The offset of the peer's sockaddr in the memory that is shared with the kernel. */
const nameAt = 64

/** A connection that is being opened: one address after the other. */
interface Attempt {
  readonly stream: Stream
  readonly ways: readonly UnconnectedSocket[]
  readonly beganNs: number
  readonly endNs: number
  at: number
  /** Tells the answer to this address from a late one to another. */
  serial: number
  /** When the next address is tried. */
  nextNs: number
  readonly codes: string[]
}

export class Redials {
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #task: LoadTask
  readonly #traffic: Traffic
  readonly #onOpen: (stream: Stream, now: number) => void
  readonly #memory: Mapping
  readonly #fds: Int32Array
  /** When each connection is due to be dialled, and those that wait for that. */
  readonly #dueNs: Float64Array
  readonly #waiting: DueHeap
  readonly #dialling = new Map<number, Attempt>()
  /** How often each connection was dialled again. */
  readonly #dials: Uint32Array
  #serial = 0
  /** The addresses of the next dials, or why there are none; undefined before they are known. */
  #ways: readonly UnconnectedSocket[] | Error | undefined
  #isLooking = false

  /** @param onOpen a connection is there again */
  constructor(
    libc: Libc,
    ring: Ring,
    task: LoadTask,
    traffic: Traffic,
    onOpen: (stream: Stream, now: number) => void,
  ) {
    this.#libc = libc
    this.#ring = ring
    this.#task = task
    this.#traffic = traffic
    this.#onOpen = onOpen
    this.#memory = libc.map(4096)
    this.#fds = new Int32Array(this.#memory.memory, 0, 1)
    this.#dueNs = new Float64Array(task.connections)
    this.#waiting = new DueHeap(this.#dueNs)
    this.#dials = new Uint32Array(task.connections)
  }

  begin(stream: Stream, now: number): void {
    const { connection, index } = stream
    const tries = triesOf(stream.outage!)
    const waitMs = backoffMs(this.#task.seed, connection, tries, this.#dials[index]!++)
    this.#dueNs[index] = now + waitMs * 1e6
    this.#waiting.add(index)
  }

  /** A connection is not needed any more; nothing more is planned, so none is. */
  cancel({ index }: Stream): void {
    const attempt = this.#dialling.get(index)
    if (!attempt) return
    this.#dialling.delete(index)
    entries.cancel(this.#ring, tag(kind.CONNECT, index), attempt.serial)
    entries.close(this.#ring, index)
  }

  /** Whether a name is being looked up, which needs turns of Node's event loop. */
  get isLooking(): boolean {
    return this.#isLooking
  }

  /** When a turn is due; it need not be on time. */
  nextNs(now: number): number {
    if (this.#traffic.over) return Infinity
    let nextNs = this.#isLooking ? now + lookNs : Infinity
    if (!this.#isLooking && this.#dialling.size < dialsAtOnce) nextNs = this.#waiting.firstNs
    for (const attempt of this.#dialling.values()) nextNs = Math.min(nextNs, attempt.nextNs)
    return nextNs
  }

  /** Dials those that are due, and goes on to the next address where there was no answer. */
  turn(now: number): void {
    if (this.#traffic.over) return
    for (const attempt of this.#dialling.values()) {
      if (now < attempt.nextNs) continue
      entries.cancel(this.#ring, tag(kind.CONNECT, attempt.stream.index), attempt.serial)
      this.#failed(attempt, 'ETIMEDOUT', now)
    }
    const waiting = this.#waiting
    if (waiting.firstNs > now || this.#dialling.size >= dialsAtOnce) return
    if (!this.#ways) return this.#lookUp()
    while (waiting.firstNs <= now && this.#dialling.size < dialsAtOnce) {
      const stream = this.#traffic.streams[waiting.first!]!
      waiting.removeFirst()
      if (this.#ways instanceof Error) this.#giveUp(stream, this.#ways, now)
      else this.#dial(stream, this.#ways, now)
    }
    // A name may lead elsewhere next time.
    this.#ways = undefined
  }

  #lookUp(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    void waysTo(this.#libc, this.#task.address, this.#task.calling, isStamped(this.#task))
      .catch((error: Error) => error)
      .then(found => {
        this.#ways = found
        this.#isLooking = false
      })
  }

  #dial(stream: Stream, ways: readonly UnconnectedSocket[], now: number): void {
    const endNs = now + this.#task.timeoutMs * 1e6
    const attempt = { stream, ways, beganNs: now, endNs, at: 0, serial: 0, nextNs: 0, codes: [] }
    this.#dialling.set(stream.index, attempt)
    this.#try(attempt, now)
  }

  #try(attempt: Attempt, now: number): void {
    const [ring, memory] = [this.#ring, this.#memory]
    const { ways, at, endNs, stream } = attempt
    const { open, name } = ways[at]!
    const isLast = at === ways.length - 1
    attempt.nextNs = isLast ? endNs : Math.min(endNs, now + attemptDelayMs * 1e6)
    attempt.serial = this.#serial = (this.#serial + 1) | 0
    // Closing the slot would hit the new socket in it, unless it is submitted before.
    ring.submitAll()
    try {
      const fd = open(sourceOf(this.#task.calling, stream.connection))
      this.#fds[0] = fd
      ring.setFile(stream.index, memory)
      this.#libc.close(fd)
    } catch (error) {
      return this.#failed(attempt, errnoOf(error), now)
    }
    new Uint8Array(memory.memory).set(name, nameAt)
    const address = memory.address + nameAt
    entries.connectTo(ring, stream.index, address, name.length, attempt.serial)
    // The kernel reads the name when it takes the entry; the next one lies in the same place.
    ring.submitAll()
  }

  onConnected(slot: number, serial: number, result: number, now: number): void {
    const attempt = this.#dialling.get(slot)
    if (attempt?.serial !== serial) return
    if (result < 0) return this.#failed(attempt, getSystemErrorName(result), now)
    this.#dialling.delete(slot)
    const { counters, histograms } = this.#traffic.meter
    histograms.connect.record(now - attempt.beganNs)
    counters[counter.opened]!++
    this.#onOpen(attempt.stream, now)
  }

  /** An address did not answer: the next one, if there is one, and there is time. */
  #failed(attempt: Attempt, code: string, now: number): void {
    const { stream, ways, codes, endNs } = attempt
    codes.push(code)
    if (++attempt.at < ways.length && now < endNs) return this.#try(attempt, now)
    this.#dialling.delete(stream.index)
    entries.close(this.#ring, stream.index)
    this.#giveUp(stream, systemError(tellingCode(codes)), now)
  }

  #giveUp(stream: Stream, error: Error, now: number): void {
    const name = failureName(error)
    this.#traffic.evidence.noteReason(name, reasonWhy(error))
    stream.dialFailed(name)
    this.begin(stream, now)
  }

  close(): void {
    this.#libc.unmap(this.#memory)
  }
}
