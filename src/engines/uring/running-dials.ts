/**
 * Connects slots while a load runs: tries one address after the other, and then makes the handshake
 * of TLS or WebSocket, if there is one.
 */
import { isIP } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { sourceOf } from '../../options/route.ts'
import type { LoadTask } from '../../task.ts'
import { nowNs } from '../../vocabulary/clock.ts'
import { errnoOf } from '../failures.ts'
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
/** A name may lead elsewhere later: after this time, or a failure, it is looked up again. */
const freshNs = 1e9
/**
 * If a name has no address, the dials that wait for it fail, and it is looked up again after this
 * time.
 */
const errorFreshNs = 50e6
/** If a time limit passed this long ago, the thread was held up, and has not read what came. */
const lateNs = 10e6
/** How long the thread then reads, before it gives up the dial. */
const readNs = 50e6
/** The offset of the peer's sockaddr in the memory that is shared with the kernel. */
const nameAt = 64

/** Makes the handshakes of connected slots. */
interface Shaker {
  /** @param error set if the handshake has failed; the slot is closed then */
  onShaken: (slot: number, error?: Error) => void
  /** Called when one of two handshakes is done. */
  onHalfShaken: (slot: number) => void
  shake(slot: number): void
  giveUpHandshake(slot: number): void
  dropHandshake(slot: number): void
}

/** The code that asked for a connection. */
export interface Caller {
  /** @param beganNs when dialling began */
  opened(slot: number, beganNs: number, now: number): void
  /** The slot is free again. */
  failed(slot: number, error: Error, now: number): void
}

interface Attempt {
  readonly slot: number
  /**
   * The number of the connection in the whole load: source addresses are used in turn by this
   * number.
   */
  readonly connection: number
  readonly caller: Caller
  readonly ways: readonly UnconnectedSocket[]
  readonly beganNs: number
  readonly endNs: number
  at: number
  /** Distinguishes the answer of this address from a late one of another. */
  serial: number
  /** When the next address is tried, or when the handshake is given up. */
  nextNs: number
  /** Whether the time limit has passed, and what came meanwhile is being read. */
  isLate: boolean
  isShaking: boolean
  readonly codes: string[]
}

export class RunningDials {
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #task: LoadTask
  readonly #above: Shaker | undefined
  readonly #memory: Mapping
  readonly #fds: Int32Array
  readonly #dialling = new Map<number, Attempt>()
  #serial = 0
  /** The addresses of the next dials, or why there are none; undefined before they are known. */
  #ways: readonly UnconnectedSocket[] | Error | undefined
  #freshUntilNs = 0
  #isLooking = false

  constructor(libc: Libc, ring: Ring, task: LoadTask, above: Shaker | undefined) {
    this.#libc = libc
    this.#ring = ring
    this.#task = task
    this.#above = above
    this.#memory = libc.map(4096)
    this.#fds = new Int32Array(this.#memory.memory, 0, 1)
    if (!above) return
    above.onShaken = (slot, error) => this.#onShaken(slot, error)
    above.onHalfShaken = slot => this.#limitHandshake(this.#dialling.get(slot), nowNs())
  }

  get hasRoom(): boolean {
    return this.#dialling.size < dialsAtOnce
  }

  /** Whether a name is being looked up, which needs turns of Node's event loop. */
  get isLooking(): boolean {
    return this.#isLooking
  }

  /** When a turn is due; it need not be on time. */
  nextNs(now: number): number {
    let nextNs = this.#isLooking ? now + lookNs : Infinity
    for (const attempt of this.#dialling.values()) nextNs = Math.min(nextNs, attempt.nextNs)
    return nextNs
  }

  /** Whether the addresses are known; if not, they are looked up. */
  isReady(now: number): boolean {
    if (this.#ways && now < this.#freshUntilNs) return true
    void this.lookUp()
    return false
  }

  async lookUp(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const { address, calling } = this.#task
    this.#ways = await waysTo(this.#libc, address, calling, isStamped(this.#task)).catch(
      (error: Error) => error,
    )
    const isFixed = address.transport === 'unix' || isIP(address.host) !== 0
    if (this.#ways instanceof Error) this.#freshUntilNs = nowNs() + errorFreshNs
    else this.#freshUntilNs = isFixed ? Infinity : nowNs() + freshNs
    this.#isLooking = false
  }

  /** Connects a slot that is free, once the addresses are known. */
  dial(slot: number, connection: number, caller: Caller, now: number): void {
    const ways = this.#ways!
    if (ways instanceof Error) return caller.failed(slot, ways, now)
    const endNs = now + this.#task.timeoutMs * 1e6
    const about = { slot, connection, caller, ways, beganNs: now, endNs, codes: [] }
    const attempt = { ...about, at: 0, serial: 0, nextNs: 0, isLate: false, isShaking: false }
    this.#dialling.set(slot, attempt)
    this.#try(attempt, now)
  }

  /** Gives up what takes too long, and goes on to the next address where there was no answer. */
  turn(now: number): void {
    for (const attempt of this.#dialling.values()) {
      if (now < attempt.nextNs) continue
      if (!attempt.isLate && now >= attempt.nextNs + lateNs) {
        attempt.isLate = true
        attempt.nextNs = now + readNs
        continue
      }
      if (attempt.isShaking) {
        this.#above!.giveUpHandshake(attempt.slot)
        continue
      }
      entries.cancel(this.#ring, tag(kind.CONNECT, attempt.slot), attempt.serial)
      this.#failed(attempt, 'ETIMEDOUT', now)
    }
  }

  #try(attempt: Attempt, now: number): void {
    const [ring, memory] = [this.#ring, this.#memory]
    const { slot, ways, at, endNs, connection } = attempt
    const { open, name } = ways[at]!
    const isLast = at === ways.length - 1
    attempt.nextNs = isLast ? endNs : Math.min(endNs, now + attemptDelayMs * 1e6)
    attempt.isLate = false
    attempt.serial = this.#serial = (this.#serial + 1) | 0
    // Submits the close of the slot now: later it would hit the new socket in the slot.
    ring.submitAll()
    try {
      const fd = open(sourceOf(this.#task.calling, connection))
      this.#fds[0] = fd
      ring.setFile(slot, memory)
      this.#libc.close(fd)
    } catch (error) {
      return this.#failed(attempt, errnoOf(error), now)
    }
    new Uint8Array(memory.memory).set(name, nameAt)
    entries.connectTo(ring, slot, memory.address + nameAt, name.length, attempt.serial)
    // Submits now: the kernel reads the sockaddr when it takes the entry, and the next one is
    // written to the same place.
    ring.submitAll()
  }

  onConnected(slot: number, serial: number, result: number, now: number): void {
    const attempt = this.#dialling.get(slot)
    if (attempt?.serial !== serial || attempt.isShaking) return
    if (result < 0) return this.#failed(attempt, getSystemErrorName(result), now)
    if (this.#above) {
      attempt.isShaking = true
      this.#limitHandshake(attempt, now)
      return this.#above.shake(slot)
    }
    this.#dialling.delete(slot)
    attempt.caller.opened(slot, attempt.beganNs, now)
  }

  #limitHandshake(attempt: Attempt | undefined, now: number): void {
    if (!attempt) return
    attempt.isLate = false
    attempt.nextNs = now + this.#task.timeoutMs * 1e6
  }

  #onShaken(slot: number, error?: Error): void {
    const attempt = this.#dialling.get(slot)
    if (!attempt) return
    this.#dialling.delete(slot)
    if (error) this.#giveUp(attempt, error, nowNs())
    else attempt.caller.opened(slot, attempt.beganNs, nowNs())
  }

  /** An address did not answer: tries the next one, if there is one, and if there is time. */
  #failed(attempt: Attempt, code: string, now: number): void {
    const { slot, ways, codes, endNs } = attempt
    codes.push(code)
    if (++attempt.at < ways.length && now < endNs) return this.#try(attempt, now)
    this.#dialling.delete(slot)
    entries.close(this.#ring, slot)
    this.#giveUp(attempt, systemError(tellingCode(codes)), now)
  }

  #giveUp({ slot, caller }: Attempt, error: Error, now: number): void {
    if (this.#freshUntilNs < Infinity) this.#freshUntilNs = 0
    caller.failed(slot, error, now)
  }

  /** The connection is not needed any more. */
  cancel(slot: number): void {
    const attempt = this.#dialling.get(slot)
    if (!attempt) return
    this.#dialling.delete(slot)
    if (attempt.isShaking) return this.#above!.dropHandshake(slot)
    entries.cancel(this.#ring, tag(kind.CONNECT, slot), attempt.serial)
    entries.close(this.#ring, slot)
  }

  close(): void {
    this.#libc.unmap(this.#memory)
  }
}
