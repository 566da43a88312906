/** What one thread did so far, in memory that every thread can read. One writer, any readers. */
import { Histogram } from './histogram.ts'

/** Why a connection failed. The words are part of the reports. */
export const failureNames = [
  'refused',
  'reset',
  'timedOut',
  'closedEarly',
  'wrongBytes',
  'nameNotFound',
  'other',
] as const
export type FailureName = (typeof failureNames)[number]

/** Everything that is counted, in the order of its place in memory. Counters only grow. */
export const counterNames = [
  /** Connections that began to be served (server) or were established (load). */
  'opened',
  /** Connections that ended, however they ended; opened - closed are open. */
  'closed',
  /** Clients that a server without the means to stop accepting holds back, and those it let in. */
  'queued',
  'dequeued',
  /** Pieces in which the system delivered the stream. */
  'chunks',
  'bytesIn',
  /** Bytes given to the system to be sent. */
  'bytesOut',
  /** Bytes that came after a draining server had said goodbye. */
  'bytesDiscarded',
  /** Messages of a load: sent, and verified to have come back. */
  'messagesSent',
  'messagesReceived',
  /** Connections closed because nothing had moved for the idle timeout. */
  'idleClosed',
  /** How often accepting was paused: because the limit of clients, of descriptors was reached. */
  'pausedForConcurrency',
  'pausedForDescriptors',
  /** Clients that were turned away, because nothing can stop the system from accepting them. */
  'turnedAway',
  ...failureNames,
] as const
export type CounterName = (typeof counterNames)[number]

/** Index of each counter: `meter.counters[counter.bytesIn]! += length` costs one addition. */
export const counter = Object.fromEntries(
  counterNames.map((name, index) => [name, index]),
) as Record<CounterName, number>

/** Values of the word through which a thread that hears no messages is told to stop. */
export const stopWord = { run: 0, drain: 1, now: 2 } as const
export type Stop = 'drain' | 'now'

const headerBytes = 8
const countersBytes = counterNames.length * Float64Array.BYTES_PER_ELEMENT

/**
 * Plain loads and stores are enough: each counter is one aligned 64-bit float, which no current
 * processor tears, exact up to 2^53. A reader may be one event behind.
 */
export class Meter {
  readonly memory: SharedArrayBuffer
  readonly counters: Float64Array
  /** Round trips, in nanoseconds. */
  readonly latency: Histogram
  readonly #stop: Int32Array

  constructor(memory = new SharedArrayBuffer(headerBytes + countersBytes + Histogram.byteLength)) {
    this.memory = memory
    this.#stop = new Int32Array(memory, 0, 1)
    this.counters = new Float64Array(memory, headerBytes, counterNames.length)
    this.latency = new Histogram(memory, headerBytes + countersBytes)
  }

  /** For engines that block their thread and look once a turn; the others get a message. */
  get stopping(): number {
    return Atomics.load(this.#stop, 0)
  }

  /** Written by the thread that owns the work, not by the one that does it. */
  requestStop(stop: Stop): void {
    // Whoever was told to leave now is not told to take his time.
    if (this.stopping < stopWord[stop]) Atomics.store(this.#stop, 0, stopWord[stop])
    Atomics.notify(this.#stop, 0)
  }
}
