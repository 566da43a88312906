/** What one thread did so far, in memory that every thread can read. One writer, any readers. */
import { counterNames, histogramNames, type CounterName, type HistogramName } from './counters.ts'
import { Histogram } from './histogram.ts'

export { counterNames, failureNames, histogramNames } from './counters.ts'
export type { CounterName, FailureName, HistogramName } from './counters.ts'

/** Index of each counter: `meter.counters[counter.bytesIn]! += length` costs one addition. */
export const counter = Object.fromEntries(
  counterNames.map((name, index) => [name, index]),
) as Record<CounterName, number>

/** Values of the word through which a thread that hears no messages is told to stop. */
export const stopWord = { run: 0, drain: 1, now: 2 } as const
export type Stop = 'drain' | 'now'

const headerBytes = 8
const countersBytes = counterNames.length * Float64Array.BYTES_PER_ELEMENT
const histogramsAt = headerBytes + countersBytes
/** A histogram without samples is never written, so its memory costs nothing. */
const meterBytes = histogramsAt + histogramNames.length * Histogram.byteLength

/**
 * Plain loads and stores are enough: each counter is one aligned 64-bit float, which no current
 * processor tears, exact up to 2^53. A reader may be one event behind.
 */
export class Meter {
  readonly memory: SharedArrayBuffer
  readonly counters: Float64Array
  readonly histograms: Readonly<Record<HistogramName, Histogram>>
  /** Called for each fault, if faults are logged. Set in the thread that does the work. */
  onFault: ((event: object) => void) | undefined
  readonly #stop: Int32Array

  constructor(memory = new SharedArrayBuffer(meterBytes)) {
    this.memory = memory
    this.#stop = new Int32Array(memory, 0, 1)
    this.counters = new Float64Array(memory, headerBytes, counterNames.length)
    this.histograms = byHistogram(
      (_, index) => new Histogram(memory, histogramsAt + index * Histogram.byteLength),
    )
  }

  /** How to stop. Engines that block their thread read it once a turn; the others get a message. */
  get stopping(): number {
    return Atomics.load(this.#stop, 0)
  }

  /** Written by the thread that owns the work, not by the one that does it. */
  requestStop(stop: Stop): void {
    // `now` is never replaced by `drain`.
    if (this.stopping < stopWord[stop]) Atomics.store(this.#stop, 0, stopWord[stop])
    Atomics.notify(this.#stop, 0)
  }
}

/** Makes one value for each distribution. */
export const byHistogram = <T>(make: (name: HistogramName, index: number) => T) =>
  Object.fromEntries(histogramNames.map((name, index) => [name, make(name, index)])) as Record<
    HistogramName,
    T
  >
