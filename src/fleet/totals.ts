/** What all agents have counted, kept up to date as their changes come: one agent, and the sum. */
import { counterNames, histogramNames, type CounterName } from '../metrics/meter.ts'
import { assemble, type Snapshot } from '../metrics/snapshot.ts'
import { SparseHistogram } from '../metrics/sparse.ts'
import type { SnapshotSum } from '../metrics/sum.ts'
import type { CountChanges } from './packed.ts'

/** The counts of one agent. */
export class AgentTotals {
  readonly #counters = new Float64Array(counterNames.length)
  readonly #histograms: SparseHistogram[] = []
  readonly #totals: SnapshotSum

  constructor(totals: SnapshotSum) {
    this.#totals = totals
  }

  /** How many messages have come back, and how many were sent. */
  get messages(): [received: number, sent: number] {
    const of = (name: CounterName) => this.#counters[counterNames.indexOf(name)]!
    return [of('messagesReceived'), of('messagesSent')]
  }

  /** Keeps what has changed, and adds the difference to the sum. */
  take({ counters, histograms }: CountChanges): void {
    for (const [counter, value] of counters) {
      this.#totals.counters[counter]! += value - this.#counters[counter]!
      this.#counters[counter] = value
    }
    for (const { histogram, sumNs, buckets, counts } of histograms) {
      const own = (this.#histograms[histogram] ??= new SparseHistogram())
      const whole = this.#totals.histograms[histogram]!
      whole.sumNs += sumNs - own.sumNs
      own.sumNs = sumNs
      for (let n = 0; n < buckets.length; n++) {
        const [bucket, count] = [buckets[n]!, counts[n]!]
        whole.add(bucket, count - own.set(bucket, count))
      }
    }
  }

  /** No more counts will come, and none will be asked for: the sum has them already. */
  release(): void {
    this.#histograms.length = 0
  }

  snapshot(atMs: number): Snapshot {
    return assemble(
      atMs,
      name => this.#counters[counterNames.indexOf(name)]!,
      name => (this.#histograms[histogramNames.indexOf(name)] ?? empty).toHistogram(),
    )
  }
}

const empty = new SparseHistogram()
