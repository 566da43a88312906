/** The message of a short connection (churn): what must come back, and how that failed. */
import { counter, counterNames, type FailureName } from '../metrics/meter.ts'
import { plural } from '../vocabulary/units.ts'
import { diagnose, type Diagnosis } from './diagnosis.ts'
import { endText, statusDiagnosis } from './ending.ts'
import { firstWrongByte } from './payload.ts'
import type { Traffic } from './traffic.ts'
import { wrongAt, type InFlight } from './wrong-bytes.ts'

export class ShortMessage implements InFlight {
  readonly connection: number
  readonly issuedBytes: number
  receivedBytes = 0
  readonly #traffic: Traffic
  /** The first reason of its failure, as a counter; and in words, if more is known. */
  #reason: number | undefined
  #said: string | undefined

  /**
   * @param connection its number among all connections of the whole load, which decides its payload
   */
  constructor(traffic: Traffic, connection: number) {
    this.#traffic = traffic
    this.connection = connection
    this.issuedBytes = traffic.sizes.of(connection, 0)
  }

  /** Whether all of it has come back. */
  get done(): boolean {
    return this.receivedBytes === this.issuedBytes
  }

  /**
   * Takes received bytes. Returns false if they are wrong; the caller then closes the connection.
   */
  arrived(bytes: Uint8Array, from: number, length: number): boolean {
    const { payload, meter, streams } = this.#traffic
    meter.counters[counter.chunks]!++
    const { connection, receivedBytes: offset } = this
    const wrong = firstWrongByte(payload, connection, offset, bytes, from, length)
    const right = Math.min(wrong === -1 ? length : wrong, this.issuedBytes - offset)
    this.receivedBytes += right
    if (right === length) return true
    this.fail(counter.wrongBytes)
    const received = Buffer.from(bytes.subarray(from + right, from + length))
    this.#note(received, diagnose(payload, this, received, streams))
    return false
  }

  /**
   * Fails the connection, once, for its first reason. `said`: more about the reason, if that is
   * known.
   */
  fail(reason: number, said?: string): void {
    this.#reason ??= reason
    this.#said ??= said
  }

  /** The other side sends nothing more. */
  ended(): void {
    if (!this.done) this.fail(counter.closedEarly)
  }

  /** The connection is closed. Returns why it failed, if it did. */
  closed(): FailureName | undefined {
    if (this.#reason === undefined) return undefined
    const name = counterNames[this.#reason] as FailureName
    if (!this.done && name !== 'wrongBytes') this.#note(Buffer.alloc(0), this.#diagnosis(name))
    return name
  }

  #diagnosis(name: FailureName): Diagnosis {
    const missingBytes = this.issuedBytes - this.receivedBytes
    if (name === 'status') return statusDiagnosis(this.#said!)
    if (name === 'timedOut') {
      const detail = `${plural(missingBytes, 'byte')} did not come back in time.`
      return { cause: 'missing', detail }
    }
    const owed = { missingBytes, cameBytes: this.receivedBytes, inWarmUp: false }
    return { cause: 'truncated', detail: endText(name === 'closedEarly', this.#said, owed) }
  }

  #note(received: Buffer, { cause, detail }: Diagnosis): void {
    const { payload, evidence } = this.#traffic
    const where = `On a short connection (churn): ${detail}`
    const diagnosis = { cause, detail: where }
    evidence.note(wrongAt(payload, this.connection, this.receivedBytes, received, diagnosis))
  }
}
