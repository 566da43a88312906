/** Short connections beside the steady ones: connect, echo one message, hang up, and again. */
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { diagnose, statusDiagnosis, type Diagnosis } from '../../../load/diagnosis.ts'
import { createPacer, type Pacer } from '../../../load/pacer.ts'
import { copyOf, firstWrongByte } from '../../../load/payload.ts'
import { nowNs, type Traffic } from '../../../load/traffic.ts'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { plural, timerMaxMs } from '../../../units.ts'
import { failureName, StatusError } from '../../failures.ts'
import type { Dial } from '../core/link.ts'
import { countReconnects } from '../http/reconnects.ts'
import type { UnderWay, WrongBytes } from '../../../load/wrong-bytes.ts'

/** More at the same time are not begun; those that are due then wait, as their time shows. */
const openMax = 5_000

export class Churn {
  /** Cycles that have begun and not ended. */
  open = 0
  readonly #task: LoadTask
  readonly #meter: Meter
  readonly #traffic: Traffic
  readonly #dial: Dial
  readonly #pacer: Pacer
  readonly #onEnded: () => void
  /** Ends all that are open, or being opened. */
  readonly #abandon = new AbortController()
  #startedNs = 0
  #ended = false
  #count = 0

  constructor(task: LoadTask, meter: Meter, traffic: Traffic, dial: Dial, onEnded: () => void) {
    this.#task = task
    this.#dial = dial
    this.#meter = meter
    this.#traffic = traffic
    this.#pacer = createPacer(task.arrivals, task.churn!)
    this.#onEnded = onEnded
    setMaxListeners(0, this.#abandon.signal)
  }

  start(now: number): void {
    this.#startedNs = now
  }

  get nextNs(): number {
    return this.open < openMax ? this.#startedNs + this.#pacer.nextNs : Infinity
  }

  /** Begins the cycles that have become due. What could not begin stays planned. */
  plan(now: number): void {
    const { over, plannedUntilNs, measureFromNs } = this.#traffic
    if (this.#ended) return
    const until = over ? plannedUntilNs : now
    while (this.nextNs <= until) {
      const plannedNs = this.nextNs
      this.#pacer.take()
      void this.#cycle(plannedNs, this.#count++)
    }
    this.#ended = over
    if (!over) return
    const { counters } = this.#meter
    this.#pacer.takeMany(measureFromNs - this.#startedNs, Infinity, () => {})
    this.#pacer.takeMany(until - this.#startedNs, Infinity, (_, count) => {
      counters[counter.cyclesPlanned]! += count
    })
  }

  async #cycle(plannedNs: number, n: number): Promise<void> {
    const { counters, histograms } = this.#meter
    const measured = plannedNs >= this.#traffic.measureFromNs
    this.open++
    if (measured) counters[counter.cyclesPlanned]!++
    try {
      const startNs = nowNs()
      const { timeoutMs } = this.#task
      const { stream: socket } = await this.#dial(this.#task, timeoutMs, this.#abandon.signal)
      if (measured) histograms.connect.record(nowNs() - startNs)
      // Numbers of their own, behind those of all steady connections.
      const connection = this.#task.firstConnection + (2 ** 24 + n) * this.#task.connectionStep
      countReconnects(socket, this.#traffic)
      const failure = await this.#echoOnce(socket, connection)
      if (failure === 'abandoned') return
      if (failure) counters[counter[failure]]!++
      else if (measured) {
        counters[counter.cyclesCompleted]!++
        histograms.cycle.record(nowNs() - plannedNs)
      }
    } catch (error) {
      if (!this.#abandon.signal.aborted) counters[counter[failureName(error)]]!++
    } finally {
      this.open--
      this.#onEnded()
    }
  }

  /** Resolves when the connection is closed: with why it failed, if it did. */
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
    const timer = setTimeout(giveUp, Math.min(this.#task.timeoutMs, timerMaxMs))
    socket.on('data', (data: Buffer | string) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      this.#meter.counters[counter.chunks]!++
      const wrongAt = firstWrongByte(payload, connection, receivedBytes, chunk)
      const right = Math.min(wrongAt === -1 ? chunk.length : wrongAt, sizeBytes - receivedBytes)
      receivedBytes += right
      if (right < chunk.length) {
        failure ??= 'wrongBytes'
        const wrong = { connection, receivedBytes, sentBytes: sizeBytes }
        this.#traffic.note(this.#describe(wrong, chunk.subarray(right)))
        socket.destroy()
      } else if (receivedBytes === sizeBytes) socket.end()
    })
    socket.on('end', () => {
      if (receivedBytes < sizeBytes) failure ??= 'closedEarly'
      socket.end()
    })
    socket.on('error', error => {
      if (error instanceof StatusError) {
        said = error.message
        this.#traffic.noteStatus(error.status)
      }
      failure ??= failureName(error)
    })
    socket.write(copyOf(payload, connection, 0, sizeBytes))
    return new Promise(resolve => {
      socket.on('close', () => {
        clearTimeout(timer)
        if (this.#abandon.signal.aborted) return resolve('abandoned')
        const unanswered = { connection, receivedBytes, sentBytes: sizeBytes }
        if (failure && receivedBytes < sizeBytes)
          this.#traffic.note(this.#describe(unanswered, failure, said))
        resolve(failure)
      })
    })
  }

  /** @param found what came instead of the right bytes; or why nothing came */
  #describe(wrong: UnderWay, found: Buffer | FailureName, said?: string): WrongBytes {
    const { payload, streams } = this.#traffic
    const { connection, receivedBytes: offset, sentBytes } = wrong
    const received = typeof found === 'string' ? Buffer.alloc(0) : found
    const missing = plural(sentBytes - offset, 'byte')
    const { cause, detail }: Diagnosis =
      typeof found !== 'string'
        ? diagnose(payload, wrong, found, streams)
        : found === 'status'
          ? statusDiagnosis(said!)
          : found === 'timedOut'
            ? { cause: 'missing', detail: `${missing} did not come back in time.` }
            : { cause: 'truncated', detail: `It ended with ${missing} unanswered.` }
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

  abandon(): void {
    this.#abandon.abort()
  }
}
