/** What a flow of the client finds out, whatever carries it. */
import type { Direction, FoundDirection, FoundFlow } from '../../../load/direction/thread-flows.ts'
import type { FailureName } from '../../../metrics/meter.ts'
import type { Report } from '../../../wire/direction/trace.ts'

/** How often the number of received bytes is noted; the server does the same. */
const markMs = 100

interface AnyReceiver {
  readonly report: Report
  readonly lastReport: Report
}

export class FlowRecord {
  readonly up: FoundDirection = { sentBytes: 0, report: undefined, marks: [] }
  readonly down: FoundDirection = { sentBytes: undefined, report: undefined, marks: [] }
  unfinished = false
  readonly #receiver: AnyReceiver | undefined
  #marking: NodeJS.Timeout | undefined
  #beganMs: number | undefined
  #awaitedMs: number | undefined
  #failure: FailureName | undefined
  #reason: string | undefined

  constructor(receiver: AnyReceiver | undefined) {
    this.#receiver = receiver
  }

  begin(): void {
    this.#beganMs = performance.now()
    if (this.#receiver) this.#marking = setInterval(() => this.#mark(), markMs)
  }

  #mark() {
    const { bytes, atMs } = this.#receiver!.report
    if (bytes !== (this.down.marks.at(-1)?.[1] ?? 0)) this.down.marks.push([atMs, bytes])
  }

  /**
   * Ends the wait for this flow: it is complete, or something broke. Only the first call counts.
   */
  awaitsNoMore(): void {
    if (this.#beganMs !== undefined) this.#awaitedMs ??= performance.now() - this.#beganMs
  }

  get awaitedMs(): number {
    return this.#awaitedMs ?? 0
  }

  broke(name: FailureName, reason: string | undefined): void {
    this.awaitsNoMore()
    this.#failure = name
    this.#reason = reason
  }

  close(): void {
    this.awaitsNoMore()
    clearInterval(this.#marking)
    if (!this.#receiver) return
    this.#mark()
    this.down.report = this.#receiver.lastReport
  }

  found(flow: number, direction: Direction): FoundFlow {
    this.up.awaitedMs = this.down.awaitedMs = this.#awaitedMs
    return {
      flow,
      up: direction === 'down' ? undefined : this.up,
      down: direction === 'up' ? undefined : this.down,
      unfinished: this.unfinished,
      failure: this.#failure,
      reason: this.#reason,
    }
  }
}
