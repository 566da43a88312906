/**
 * Churn: short connections in addition to the steady ones; each connects, echoes one message and
 * closes.
 */
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { diagnose, type Diagnosis } from '../../../load/diagnosis.ts'
import { endText, statusDiagnosis } from '../../../load/ending.ts'
import { createChurnPlan, type ChurnPlan } from '../../../load/churn-plan.ts'
import { copyOf, firstWrongByte } from '../../../load/payload.ts'
import { Replies, type CameLog } from '../../../load/replies.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import type { Traffic } from '../../../load/traffic.ts'
import { Histogram } from '../../../metrics/histogram.ts'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { plural } from '../../../vocabulary/units.ts'
import { failureName, reasonOf } from '../../failures.ts'
import { StatusError } from '../../../vocabulary/peer-errors.ts'
import type { Dial } from '../core/link.ts'
import { afterTimeout } from '../core/patience.ts'
import { noteFailure } from './note-failure.ts'
import { countReconnects } from '../http/reconnects.ts'
import type { InFlight, WrongBytes } from '../../../load/wrong-bytes.ts'

/** How many may be open at once; others that are due wait, and their time contains the wait. */
const openMax = 5_000
/** How many may be connecting at once: if there were more, all of them would end late, or never. */
const openingMax = 256
/** At most this many of the warm-up are skipped one by one; with more, random gaps become even. */
const skippedMax = 1_000

export class Churn {
  /** Short connections that have begun and not ended; how many of them are not connected yet. */
  open = 0
  #opening = 0
  /** How many of those began before the load was over. */
  #owing = 0
  readonly #task: LoadTask
  readonly #meter: Meter
  readonly #traffic: Traffic
  readonly #dial: Dial
  readonly #plan: ChurnPlan
  /** Called when there may be room for the next one. */
  readonly #onRoom: () => void
  /** Ends all that have begun. */
  readonly #abandon = new AbortController()
  /** How late those of the window began, counted from the instant at which there was room. */
  readonly #lateness = new Histogram()
  #roomNs = 0
  /** When those of the window were completed. */
  #completed = new Replies(0)
  #startedNs = 0
  #abandoned = false

  constructor(task: LoadTask, meter: Meter, traffic: Traffic, dial: Dial, onRoom: () => void) {
    this.#task = task
    this.#dial = dial
    this.#meter = meter
    this.#traffic = traffic
    const { firstConnection: first, connectionStep: step } = task
    this.#plan = createChurnPlan(task.arrivals, task.churn!, { first, step })
    this.#onRoom = onRoom
    setMaxListeners(0, this.#abandon.signal)
  }

  start(now: number): void {
    this.#startedNs = now
    this.#completed = new Replies(this.#traffic.measureFromNs)
  }

  /** When the next one is to begin; Infinity while there is no room, and after the last one. */
  get nextNs(): number {
    return this.#isFull || !this.#isWanted ? Infinity : this.#dueNs
  }

  get #isFull(): boolean {
    return this.open >= openMax || this.#opening >= openingMax
  }

  /** Whether all have ended, and no more will be due. */
  get done(): boolean {
    return this.open === 0 && this.#traffic.over && !this.#isWanted
  }

  get #dueNs(): number {
    return this.#startedNs + this.#plan.nextNs
  }

  get #isWanted(): boolean {
    if (this.#abandoned) return false
    return !this.#traffic.over || this.#dueNs < this.#traffic.plannedUntilNs
  }

  /** Begins those that are due and have room; the others begin when there is room. */
  plan(now: number): void {
    if (now >= this.#traffic.measureFromNs) this.#skipWarmUp()
    while (this.nextNs <= now) {
      const plannedNs = this.nextNs
      if (plannedNs >= this.#traffic.measureFromNs)
        this.#lateness.record(now - Math.max(plannedNs, this.#roomNs))
      void this.#shortConnection(plannedNs, this.#plan.take())
    }
  }

  /**
   * Those that the warm-up left over are dropped, so that they do not delay those of the window.
   */
  #skipWarmUp() {
    const untilNs = this.#traffic.measureFromNs - this.#startedNs
    for (let n = 0; n < skippedMax && this.#plan.nextNs < untilNs; n++) this.#plan.take()
    if (this.#plan.nextNs < untilNs) this.#plan.takeMany(untilNs)
  }

  /** How late those of the window began: the 99th percentile; undefined if there was none. */
  get lateNs(): number | undefined {
    return this.#lateness.count > 0 ? this.#lateness.quantiles([0.99])[0] : undefined
  }

  /** The window, and when its short connections were completed. */
  get log(): CameLog {
    const { measureFromNs, plannedUntilNs } = this.#traffic
    const lengthNs = Math.max(0, plannedUntilNs - measureFromNs)
    return this.#completed.log(measureFromNs, lengthNs, false)
  }

  /** @param number among the short connections of the whole load */
  async #shortConnection(plannedNs: number, number: number): Promise<void> {
    const { counters } = this.#meter
    const measured = plannedNs >= this.#traffic.measureFromNs
    this.open++
    const owing = this.#traffic.over ? 0 : 1
    this.#owing += owing
    if (measured) counters[counter.churnPlanned]!++
    try {
      const startNs = nowNs()
      const socket = await this.#connect(number)
      if (measured) this.#record('connect', plannedNs, startNs)
      // Their numbers follow those of all steady connections.
      const connection = 2 ** 24 + number
      countReconnects(socket, this.#traffic)
      const failure = await this.#echoOnce(socket, connection)
      if (failure === 'abandoned') return
      if (failure) counters[counter[failure]]!++
      else if (measured) {
        counters[counter.churnCompleted]!++
        this.#completed.record(this.#record('churn', plannedNs, startNs), 1)
      }
    } catch (error) {
      if (!this.#abandon.signal.aborted) counters[counter[noteFailure(this.#traffic, error)]]!++
    } finally {
      this.#makeRoom()
      this.open--
      this.#owing -= owing
      this.#onRoom()
    }
  }

  /**
   * Records how long after its planned instant a connection was made, or closed. Returns the
   * present instant.
   */
  #record(name: 'connect' | 'churn', plannedNs: number, startNs: number): number {
    const now = nowNs()
    const { stalls, meter } = this.#traffic
    stalls.seen(now)
    meter.histograms[name].record(now - plannedNs)
    if (plannedNs < stalls.untilNs) stalls.touched(name, plannedNs, startNs, now)
    return now
  }

  #makeRoom() {
    if (this.#isFull) this.#roomNs = nowNs()
  }

  async #connect(number: number): Promise<Duplex> {
    this.#opening++
    try {
      const { signal } = this.#abandon
      const target = { ...this.#task, number }
      return (await this.#dial(target, this.#task.timeoutMs, signal)).stream
    } finally {
      this.#makeRoom()
      this.#opening--
      this.#onRoom()
    }
  }

  /** Resolves when the connection is closed; with the failure, if it failed. */
  #echoOnce(socket: Duplex, connection: number): Promise<FailureName | 'abandoned' | undefined> {
    const { payload, sizes } = this.#traffic
    const sizeBytes = sizes.of(connection, 0)
    let receivedBytes = 0
    let failure: FailureName | undefined
    let said: string | undefined
    const giveUp = () => {
      failure ??= 'timedOut'
      socket.destroy()
    }
    let done = afterTimeout(this.#task.timeoutMs, giveUp)
    socket.on('data', (data: Buffer | string) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      this.#meter.counters[counter.chunks]!++
      const wrongAt = firstWrongByte(payload, connection, receivedBytes, chunk)
      const right = Math.min(wrongAt === -1 ? chunk.length : wrongAt, sizeBytes - receivedBytes)
      receivedBytes += right
      if (right < chunk.length) {
        failure ??= 'wrongBytes'
        const wrong = { connection, receivedBytes, issuedBytes: sizeBytes }
        this.#traffic.evidence.note(this.#describe(wrong, chunk.subarray(right)))
        socket.destroy()
      } else if (receivedBytes === sizeBytes) {
        // Now the other side has to close; it has the same time limit for that.
        done()
        done = afterTimeout(this.#task.timeoutMs, giveUp)
        socket.end()
      }
    })
    socket.on('end', () => {
      if (receivedBytes < sizeBytes) failure ??= 'closedEarly'
      socket.end()
    })
    socket.on('error', error => {
      said ??= reasonOf(error)
      if (error instanceof StatusError) this.#traffic.evidence.noteStatus(error.status)
      failure ??= failureName(error)
    })
    socket.write(copyOf(payload, connection, 0, sizeBytes))
    return new Promise(resolve => {
      socket.on('close', () => {
        done()
        if (this.#abandon.signal.aborted) return resolve('abandoned')
        const unanswered = { connection, receivedBytes, issuedBytes: sizeBytes }
        if (failure && receivedBytes < sizeBytes)
          this.#traffic.evidence.note(this.#describe(unanswered, failure, said))
        resolve(failure)
      })
    })
  }

  /** @param found the wrong bytes, or why none came */
  #describe(wrong: InFlight, found: Buffer | FailureName, said?: string): WrongBytes {
    const { payload, streams } = this.#traffic
    const { connection, receivedBytes: offset, issuedBytes } = wrong
    const received = typeof found === 'string' ? Buffer.alloc(0) : found
    const missing = plural(issuedBytes - offset, 'byte')
    const owed = { missingBytes: issuedBytes - offset, cameBytes: offset, inWarmUp: false }
    const { cause, detail }: Diagnosis =
      typeof found !== 'string'
        ? diagnose(payload, wrong, found, streams)
        : found === 'status'
          ? statusDiagnosis(said!)
          : found === 'timedOut'
            ? { cause: 'missing', detail: `${missing} did not come back in time.` }
            : { cause: 'truncated', detail: endText(found === 'closedEarly', said, owed) }
    const before = Math.min(16, offset)
    return {
      connection,
      offset,
      expected: copyOf(payload, connection, offset, 32),
      received: Uint8Array.from(received.subarray(0, 32)),
      before: copyOf(payload, connection, offset - before, before),
      cause,
      detail: `On a short connection (churn): ${detail}`,
    }
  }

  /**
   * Ends all that have begun. They count as unanswered, also those of the warm-up, which are in no
   * other figure. Those that could not begin in time count as planned.
   */
  abandon(): void {
    if (this.#abandoned) return
    const { measureFromNs, plannedUntilNs } = this.#traffic
    const { counters } = this.#meter
    if (this.#traffic.over && plannedUntilNs >= measureFromNs) {
      this.#skipWarmUp()
      counters[counter.churnPlanned]! += this.#plan.takeMany(plannedUntilNs - this.#startedNs)
    }
    counters[counter.unanswered]! += this.#owing
    this.#abandoned = true
    this.#abandon.abort()
  }
}
