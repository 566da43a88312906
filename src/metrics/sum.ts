/** Adds snapshots without keeping them. */
import { counterNames, histogramNames } from './meter.ts'
import type { SavedSnapshot } from './saved.ts'
import { assemble, type Snapshot } from './snapshot.ts'
import { SparseHistogram } from './sparse.ts'

export class SnapshotSum {
  readonly counters = new Float64Array(counterNames.length)
  readonly histograms = histogramNames.map(() => new SparseHistogram())
  #atMs = 0

  /** Adds a snapshot. The sum is as long as the longest of the snapshots. */
  add({ atMs, counters, histograms }: SavedSnapshot): void {
    this.#atMs = Math.max(this.#atMs, atMs)
    for (const [n, name] of counterNames.entries()) this.counters[n]! += counters[name] ?? 0
    for (const [n, name] of histogramNames.entries())
      if (histograms[name]) this.histograms[n]!.addSaved(histograms[name])
  }

  snapshot(atMs = this.#atMs): Snapshot {
    return assemble(
      atMs,
      name => this.counters[counterNames.indexOf(name)]!,
      name => this.histograms[histogramNames.indexOf(name)]!.toHistogram(),
    )
  }
}
