/** Connects many sockets through a ring, each of which ends as a direct descriptor in its slot. */
import { getSystemErrorName } from 'node:util'
import { counter, type Meter } from '../../metrics/meter.ts'
import type { LoadTask } from '../../task.ts'
import { explain, failureName } from '../failures.ts'
import { systemError, type Libc } from '../libc.ts'
import { socketTo } from '../sockets.ts'
import * as entries from './entries.ts'
import { kind, SLOT } from './entries.ts'
import { enter } from './kernel.ts'
import type { Ring } from './ring.ts'
import { WaitArgument } from './wait-argument.ts'

/** Connections that are being established at the same time: fewer than a usual backlog holds. */
const dialsAtOnce = 256

/** A slot that could not be connected, and the counter of the reason. */
export interface Failure {
  slot: number
  reason: number
}

/**
 * Connects the slots of all connections, used or merely held; returns those that failed.
 * @throws UserError if none of the first answers
 */
export async function dialAll(
  libc: Libc,
  ring: Ring,
  task: LoadTask,
  meter: Meter,
): Promise<Failure[]> {
  const count = task.connections + task.idle
  const { open, name } = await socketTo(libc, task.address).catch((error: unknown) => {
    throw explain('connect to', task.address, error)
  })
  const failures: Failure[] = []
  const memory = libc.map(4096)
  const argument = new WaitArgument(libc)
  try {
    const nameAt = 64
    new Uint8Array(memory.memory).set(name, nameAt)
    const fds = new Int32Array(memory.memory, 0, 1)
    for (let first = 0; first < count; first += dialsAtOnce) {
      const last = Math.min(count, first + dialsAtOnce)
      const batch = new Batch(ring, argument, meter, task.timeoutMs)
      for (let slot = first; slot < last; slot++) {
        const fd = open()
        fds[0] = fd
        ring.setFile(slot, memory)
        libc.close(fd)
        batch.dial(slot, memory.address + nameAt, name.length)
      }
      const errors = batch.wait()
      if (first === 0 && errors.size === last)
        throw explain('connect to', task.address, systemError([...errors.values()][0]!))
      for (const [slot, error] of errors) {
        failures.push({ slot, reason: counter[failureName(systemError(error))] })
        entries.close(ring, slot)
      }
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

/** Some that are connecting at the same time. */
class Batch {
  readonly #ring: Ring
  readonly #argument: WaitArgument
  readonly #meter: Meter
  readonly #timeoutMs: number
  /** When each of those still connecting began, in milliseconds. */
  readonly #began = new Map<number, number>()
  readonly #errors = new Map<number, string>()

  constructor(ring: Ring, argument: WaitArgument, meter: Meter, timeoutMs: number) {
    this.#ring = ring
    this.#argument = argument
    this.#meter = meter
    this.#timeoutMs = timeoutMs
  }

  dial(slot: number, address: number, bytes: number): void {
    this.#began.set(slot, performance.now())
    entries.connect(this.#ring, slot, address, bytes)
  }

  /** Names of errors by slot; those who do not answer in time have ETIMEDOUT. */
  wait(): Map<number, string> {
    const endMs = performance.now() + this.#timeoutMs
    while (this.#began.size > 0) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) this.#giveUp()
      this.#argument.set(Math.max(0.001, Math.min(leftMs, 1000)) * 1e6)
      const { EXT_ARG, GETEVENTS } = enter
      this.#ring.enter(1, GETEVENTS | EXT_ARG, this.#argument.address, WaitArgument.bytes)
      this.#ring.forEachCompletion((user0, _user1, result) => {
        if ((user0 & ~SLOT) === kind.CONNECT) this.#onConnected(user0 & SLOT, result)
      })
    }
    return this.#errors
  }

  #onConnected(slot: number, result: number) {
    const beganMs = this.#began.get(slot)
    if (!this.#began.delete(slot)) return
    if (result < 0) {
      this.#errors.set(slot, getSystemErrorName(result))
      return
    }
    this.#meter.histograms.connect.record((performance.now() - beganMs!) * 1e6)
    this.#meter.counters[counter.opened]!++
  }

  #giveUp() {
    for (const slot of this.#began.keys()) {
      this.#errors.set(slot, 'ETIMEDOUT')
      entries.cancel(this.#ring, kind.CONNECT | slot)
    }
    this.#began.clear()
  }
}
