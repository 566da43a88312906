/**
 * The first wrong bytes of a load. For a diagnosis, more bytes of the same stream are collected for
 * a little while, and it is noted what the other streams had in flight.
 */
import type { FailureName } from '../metrics/meter.ts'
import type { InFlight, WrongBytes } from './wrong-bytes.ts'

/** How long wrong bytes are collected at most, to see how the stream continues. */
const collectedNs = 100e6

/** A stream that has received wrong bytes. */
interface Suspect extends InFlight {
  /** @param others what the other streams had in flight when it went wrong */
  diagnose(others: readonly InFlight[]): WrongBytes
}

export class Evidence<S extends Suspect> {
  /** The first wrong bytes; undefined if there were none. */
  wrong: WrongBytes | undefined
  /** The first corrupt bytes, if corrupt bytes are counted and do not end their connection. */
  corrupt: WrongBytes | undefined
  /** With HTTP: how many connections failed by each error status. */
  readonly statuses = new Map<number, number>()
  /** For each class of failures the first known cause, of connections that owed no answer. */
  readonly reasons = new Map<FailureName, string>()
  readonly #streams: () => readonly S[]
  #suspect: S | undefined
  #sinceNs = 0
  /** What the other streams had in flight when the suspect went wrong. (They go on meanwhile.) */
  #others: InFlight[] = []

  constructor(streams: () => readonly S[]) {
    this.#streams = streams
  }

  /** A stream has received wrong bytes. Returns whether it is the first: then more is collected. */
  suspect(stream: S, now: number): boolean {
    if (this.#suspect || (this.wrong && this.wrong.received.length > 0)) return false
    this.#suspect = stream
    this.#sinceNs = now
    this.#others = this.#streams()
      .filter(other => other !== stream)
      .map(({ connection, receivedBytes, issuedBytes }) => ({
        connection,
        receivedBytes,
        issuedBytes,
      }))
    return true
  }

  /** Diagnoses the suspect if its time is up, and returns it: the caller closes its connection. */
  expire(now: number): S | undefined {
    const suspect = this.#suspect
    if (!suspect || now - this.#sinceNs <= collectedNs) return undefined
    this.diagnose()
    return suspect
  }

  /** Diagnoses what was collected, since no more will come. */
  diagnose(): void {
    const suspect = this.#suspect
    this.#suspect = undefined
    if (suspect) this.note(suspect.diagnose(this.#others))
  }

  /**
   * Keeps the first wrong bytes. A message that did not come is replaced by wrong bytes that did.
   */
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

  /** Ends: the run is over. */
  close(): void {
    this.diagnose()
    if (this.corrupt) this.note(this.corrupt)
  }
}
