/** Connects many sockets through a ring; each becomes a direct descriptor in its slot. */
import { getSystemErrorName } from 'node:util'
import { counter, type Meter } from '../../metrics/meter.ts'
import { numberOf } from '../../load/part.ts'
import { sourceOf } from '../../options/route.ts'
import type { LoadTask } from '../../task.ts'
import { explain } from '../failures.ts'
import { systemError, type Libc, type Mapping } from '../os/libc.ts'
import { attemptDelayMs, tellingCode } from '../os/resolver.ts'
import { waysTo, type UnconnectedSocket } from '../os/sockets.ts'
import { isStamped } from '../stamped.ts'
import * as entries from './entries.ts'
import { kind, completionOf, slotOf, tag } from './entries.ts'
import { enter } from './kernel.ts'
import type { Ring } from './ring.ts'
import { WaitArgument } from './wait-argument.ts'

/** Connections that are being established at the same time: fewer than a usual backlog holds. */
export const dialsAtOnce = 256
/** The longest sleep in the kernel: a thread cannot be ended before it wakes. */
const sleepMaxMs = 100
/** The offset of the peer's sockaddr in the memory that is shared with the kernel. */
const nameAt = 64

/** Sets up TLS or WebSocket on connected sockets, before a connection counts as open. */
export interface Above {
  /** A slot is connected; `tookMs`: how long that took. */
  onConnected(slot: number, tookMs: number): void
  /** Handles completions of other slots that come meanwhile. */
  onCompletion(user0: number, user1: number, result: number, flags: number): void
  /** Takes these slots through their handshakes; returns why some have failed. */
  make(slots: readonly number[]): Map<number, Error>
}

/** A slot that could not be connected, and why. */
export interface Failure {
  slot: number
  error: Error
}

/**
 * Connects the slots of all connections, idle ones too; returns those that failed.
 * @throws UserError if no connection of the first group can be made
 */
export async function dialAll(
  libc: Libc,
  ring: Ring,
  task: LoadTask,
  meter: Meter,
  above?: Above,
): Promise<Failure[]> {
  const count = task.connections + task.idle
  const ways = await waysTo(libc, task.address, task.calling, isStamped(task)).catch(
    (error: unknown) => {
      throw explain('connect to', task.address, error)
    },
  )
  const failures: Failure[] = []
  const memory = libc.map(4096)
  const argument = new WaitArgument(libc)
  const tries = { libc, ring, memory, argument, meter, task, ways: [...ways], above }
  try {
    for (let first = 0; first < count; first += dialsAtOnce) {
      const last = Math.min(count, first + dialsAtOnce)
      const slots = Array.from({ length: last - first }, (_, at) => first + at)
      const codes = dialSlots(tries, slots)
      const errors = new Map([...codes].map(([slot, code]) => [slot, systemError(code) as Error]))
      const made = above?.make(slots.filter(slot => !errors.has(slot))) ?? []
      for (const [slot, error] of made) errors.set(slot, error)
      if (first === 0 && errors.size === last)
        throw explain('connect to', task.address, [...errors.values()][0]!)
      for (const [slot, error] of errors) failures.push({ slot, error })
    }
    return failures
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw code === undefined ? error : explain('connect to', task.address, error)
  } finally {
    libc.unmap(memory)
    argument.close()
  }
}

interface Tries {
  libc: Libc
  ring: Ring
  memory: Mapping
  argument: WaitArgument
  meter: Meter
  task: LoadTask
  /** The addresses to try; the one that was reached last comes first. */
  ways: UnconnectedSocket[]
  above: Above | undefined
}

/**
 * Tries one address after the other for slots that are not connected; returns the errors by slot.
 */
function dialSlots(tries: Tries, slots: readonly number[]): Map<number, string> {
  const { libc, ring, memory, task, ways } = tries
  const endMs = performance.now() + task.timeoutMs
  const beganMs = new Map<number, number>()
  const codes = new Map<number, string[]>()
  const fds = new Int32Array(memory.memory, 0, 1)
  let left = slots
  for (const [at, { open, name }] of [...ways].entries()) {
    new Uint8Array(memory.memory).set(name, nameAt)
    const batch = new Batch(tries, beganMs)
    for (const slot of left) {
      const fd = open(sourceOf(task.calling, numberOf(task, slot)))
      fds[0] = fd
      ring.setFile(slot, memory)
      libc.close(fd)
      batch.dial(slot, memory.address + nameAt, name.length)
    }
    const leftMs = Math.max(1, endMs - performance.now())
    const isLast = at === ways.length - 1
    const errors = batch.wait(isLast ? leftMs : Math.min(leftMs, attemptDelayMs))
    for (const [slot, code] of errors) codes.set(slot, [...(codes.get(slot) ?? []), code])
    // The next group begins with this address; this one goes on through its copy of the list.
    if (errors.size < left.length && at > 0) ways.unshift(...ways.splice(at, 1))
    left = [...errors.keys()]
    if (left.length === 0) break
  }
  // Closes the slots only now: a close takes effect later, and would hit the next socket in the
  // slot.
  for (const slot of left) entries.close(ring, slot)
  return new Map(left.map(slot => [slot, tellingCode(codes.get(slot)!)]))
}

/** A group of slots that are connecting at the same time. */
class Batch {
  readonly #ring: Ring
  readonly #argument: WaitArgument
  readonly #meter: Meter
  readonly #above: Above | undefined
  /** When each slot began with its first address, in milliseconds. */
  readonly #beganMs: Map<number, number>
  readonly #connecting = new Set<number>()
  readonly #errors = new Map<number, string>()

  constructor({ ring, argument, meter, above }: Tries, beganMs: Map<number, number>) {
    this.#ring = ring
    this.#argument = argument
    this.#meter = meter
    this.#above = above
    this.#beganMs = beganMs
  }

  dial(slot: number, address: number, bytes: number): void {
    this.#connecting.add(slot)
    if (!this.#beganMs.has(slot)) this.#beganMs.set(slot, performance.now())
    entries.connectTo(this.#ring, slot, address, bytes)
  }

  /** Names of errors by slot; a slot without an answer in time has ETIMEDOUT. */
  wait(timeoutMs: number): Map<number, string> {
    let endMs = performance.now() + timeoutMs
    while (this.#connecting.size > 0) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) {
        this.#giveUp()
        endMs = Infinity
      }
      this.#argument.set(Math.max(0.001, Math.min(leftMs, sleepMaxMs)) * 1e6)
      const { EXT_ARG, GETEVENTS } = enter
      this.#ring.enter(1, GETEVENTS | EXT_ARG, this.#argument.address, WaitArgument.bytes)
      this.#ring.forEachCompletion((user0, user1, result, flags) => {
        if (completionOf(user0) === kind.CONNECT) this.#onConnected(slotOf(user0), result)
        else this.#above?.onCompletion(user0, user1, result, flags)
      })
    }
    return this.#errors
  }

  #onConnected(slot: number, result: number) {
    if (!this.#connecting.delete(slot)) return
    if (result < 0) {
      const code = getSystemErrorName(result)
      this.#errors.set(slot, code === 'ECANCELED' ? 'ETIMEDOUT' : code)
      return
    }
    const tookMs = performance.now() - this.#beganMs.get(slot)!
    if (this.#above) return this.#above.onConnected(slot, tookMs)
    this.#meter.histograms.connect.record(tookMs * 1e6)
    this.#meter.counters[counter.opened]!++
  }

  /**
   * Cancels the connects that are under way. Each completes as cancelled or as connected; until
   * then its slot is in use.
   */
  #giveUp() {
    for (const slot of this.#connecting) entries.cancel(this.#ring, tag(kind.CONNECT, slot))
  }
}
