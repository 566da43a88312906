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
  /** This process, or this machine, had no descriptors left. */
  'noDescriptors',
  /** What came is not what its transport demands: TLS, PROXY header, WebSocket, HTTP. */
  'protocol',
  /** An HTTP server answered with a status of failure instead of an echo. */
  'status',
  'other',
  /** Only of a load: it still owed an answer when the run ended. */
  'unanswered',
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
  /** Bytes that the system has taken to be sent. */
  'bytesOut',
  /** Bytes that came after a draining server had said goodbye. */
  'bytesDiscarded',
  /**
   * Messages of a load, without its warm-up: due by the plan, taken by the system, verified to have
   * come back, and under way when nobody waited any longer, although their timeout had not come. In
   * a closed loop a message is due when it is to be sent.
   */
  'messagesPlanned',
  'messagesSent',
  'messagesReceived',
  'messagesUnfinished',
  /** Messages that were due while their connection had as many in flight as it may have. */
  'messagesDeferred',
  /** The same of the warm-up. */
  'warmupSent',
  'warmupReceived',
  'warmupBytesOut',
  'warmupBytesIn',
  /**
   * Of a load on HTTP, after its warm-up: how often a server that had hung up between messages was
   * connected to again, and messages that it had left unanswered and that were sent again.
   */
  'reconnects',
  'sentAgain',
  /** Short connections of a load (churn): due, and gone through from connect to close. */
  'cyclesPlanned',
  'cyclesCompleted',
  /** Connections closed because nothing had moved for the idle timeout. */
  'idleClosed',
  /** How often accepting was paused: because the limit of clients, of descriptors was reached. */
  'pausedForConcurrency',
  'pausedForDescriptors',
  /** Clients that were turned away, because nothing can stop the system from accepting them. */
  'turnedAway',
  /** Clients who did not get through PROXY header, TLS and the like. */
  'handshakesFailed',
  /** HTTP requests that got an answer, but no WebSocket: no upgrade, wrong version or origin. */
  'upgradesRefused',
  /** WebSocket clients who were closed because of a message beyond the limit. */
  'messagesTooLong',
  /** Datagrams that a server has answered; those that it has not, by the reason. */
  'datagramsAnswered',
  /** There was no port or address that could have been answered. */
  'datagramsWithoutSource',
  'datagramsFromLowPort',
  'datagramsFromOwnPort',
  'datagramsFromBroadcast',
  'datagramsFromMulticast',
  'datagramsInLoop',
  'datagramsOverRate',
  /** The system would not take the answer, or too many waited already, also in faults. */
  'datagramsDropped',
  /** The system threw them away before they were read: its buffer was full, or a filter said so. */
  'datagramsUnread',
  /**
   * Datagrams of a load, without its warm-up: that came after their timeout, came once more, came
   * behind one that was sent later, came with other bytes but were known all the same.
   */
  'datagramsLate',
  'datagramsDuplicated',
  'datagramsReordered',
  'datagramsCorrupted',
  /** What faults did: chunks that were held or cut, bits flipped, connections ended or hung. */
  'faultsInjected',
  /** Of a load that counts them (and else ends the connection): bytes that were wrong in place. */
  'corruptedBytes',
  'flippedBits',
  ...failureNames,
] as const
export type CounterName = (typeof counterNames)[number]

/** The distributions of a load, in nanoseconds each. */
export const histogramNames = [
  /** From the planned instant of a message until it has come back whole. */
  'response',
  /** From its real send on; empty in a closed loop, where it is the response time. */
  'service',
  /** How much later than planned the generator turned to a message; its own fault alone. */
  'lateness',
  /** From connect(2) until the connection is established. */
  'connect',
  /** The same for a server that had hung up between messages; part of a response time. */
  'reconnect',
  /** Of a short connection (churn): from its planned instant until it is closed. */
  'cycle',
] as const
export type HistogramName = (typeof histogramNames)[number]

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
/** What is never recorded is never touched, and so costs no memory. */
const meterBytes = histogramsAt + histogramNames.length * Histogram.byteLength

/**
 * Plain loads and stores are enough: each counter is one aligned 64-bit float, which no current
 * processor tears, exact up to 2^53. A reader may be one event behind.
 */
export class Meter {
  readonly memory: SharedArrayBuffer
  readonly counters: Float64Array
  readonly histograms: Readonly<Record<HistogramName, Histogram>>
  /** Set in the thread that does the work, where each fault is to be written down. */
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

/** One value for each distribution. */
export const byHistogram = <T>(make: (name: HistogramName, index: number) => T) =>
  Object.fromEntries(histogramNames.map((name, index) => [name, make(name, index)])) as Record<
    HistogramName,
    T
  >
