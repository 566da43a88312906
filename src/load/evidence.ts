/**
 * The first wrong bytes of a load: collected for a little while from the stream that had them, for
 * a diagnosis, beside what the others had under way.
 */
import type { FailureName } from '../metrics/meter.ts'
import type { UnderWay, WrongBytes } from './wrong-bytes.ts'

/** How long wrong bytes are collected at most, to see how the stream continues. */
const collectedNs = 100e6

/** A stream that has received wrong bytes. */
interface Suspect extends UnderWay {
  /** @param others what the other streams had under way when it went wrong */
  diagnose(others: readonly UnderWay[]): WrongBytes
}

export class Evidence<S extends Suspect> {
  /** The first wrong bytes, once there were any. */
  wrong: WrongBytes | undefined
  /** The first corrupt ones, where those are counted and do not end their connection. */
  corrupt: WrongBytes | undefined
  /** With HTTP: how many connections failed by each error status. */
  readonly statuses = new Map<number, number>()
  /** Why connections failed that owed nothing, by class, where more is known: the first of each. */
  readonly reasons = new Map<FailureName, string>()
  readonly #streams: () => readonly S[]
  #suspect: S | undefined
  #sinceNs = 0
  /** The others when it went wrong: they go on, and soon are far from there. */
  #others: UnderWay[] = []

  constructor(streams: () => readonly S[]) {
    this.#streams = streams
  }

  /** Whether more of the stream is wanted: it is the first that received wrong bytes. */
  suspect(stream: S, now: number): boolean {
    if (this.#suspect || (this.wrong && this.wrong.received.length > 0)) return false
    this.#suspect = stream
    this.#sinceNs = now
    this.#others = this.#streams()
      .filter(other => other !== stream)
      .map(({ connection, receivedBytes, sentBytes }) => ({ connection, receivedBytes, sentBytes }))
    return true
  }

  /** The stream of which enough was collected; it is diagnosed now, and to be given up. */
  expire(now: number): S | undefined {
    const suspect = this.#suspect
    if (!suspect || now - this.#sinceNs <= collectedNs) return undefined
    this.diagnose()
    return suspect
  }

  /** No more will come: diagnoses what was collected. */
  diagnose(): void {
    const suspect = this.#suspect
    this.#suspect = undefined
    if (suspect) this.note(suspect.diagnose(this.#others))
  }

  /** The first wrong bytes count; bytes that did not come only as long as there are none. */
  note(wrong: WrongBytes): void {
    if (!this.wrong || (this.wrong.received.length === 0 && wrong.received.length > 0))
      this.wrong = wrong
  }

  noteStatus(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }

  noteReason(name: FailureName, reason: string | undefined): void {
    if (reason !== undefined && !this.reasons.has(name)) this.reasons.set(name, reason)
  }

  /** The run is over. */
  close(): void {
    this.diagnose()
    if (this.corrupt) this.note(this.corrupt)
  }
}
