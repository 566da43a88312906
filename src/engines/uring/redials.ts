/** Reopens connections that broke, each after its backoff. */
import { backoffMs } from '../../load/backoff.ts'
import { DueHeap } from '../../load/due-heap.ts'
import { triesOf } from '../../load/outages.ts'
import type { Stream } from '../../load/stream.ts'
import type { Traffic } from '../../load/traffic.ts'
import { counter } from '../../metrics/meter.ts'
import type { LoadTask } from '../../task.ts'
import { failureName, reasonWhy } from '../failures.ts'
import type { Caller, RunningDials } from './running-dials.ts'

export class Redials implements Caller {
  readonly #task: LoadTask
  readonly #traffic: Traffic
  readonly #dials: RunningDials
  readonly #onOpen: (stream: Stream, now: number) => void
  /** When each connection is to be dialled. */
  readonly #dueNs: Float64Array
  /** The connections that wait for that. */
  readonly #waiting: DueHeap
  /** How often each connection was dialled again. */
  readonly #counts: Uint32Array

  /** @param onOpen called when a connection is open again */
  constructor(
    task: LoadTask,
    traffic: Traffic,
    dials: RunningDials,
    onOpen: (stream: Stream, now: number) => void,
  ) {
    this.#task = task
    this.#traffic = traffic
    this.#dials = dials
    this.#onOpen = onOpen
    this.#dueNs = new Float64Array(task.connections)
    this.#waiting = new DueHeap(this.#dueNs)
    this.#counts = new Uint32Array(task.connections)
  }

  begin(stream: Stream, now: number): void {
    const { connection, index } = stream
    const tries = triesOf(stream.outage!)
    const waitMs = backoffMs(this.#task.seed, connection, tries, this.#counts[index]!++)
    this.#dueNs[index] = now + waitMs * 1e6
    this.#waiting.add(index)
  }

  /** Gives up the dials of a connection: nothing more is planned, so it is not needed any more. */
  cancel({ index }: Stream): void {
    this.#dials.cancel(index)
  }

  /** When a turn is due; it need not be on time. */
  get nextNs(): number {
    const mayDial = this.#dials.hasRoom && !this.#dials.isLooking && !this.#traffic.over
    return mayDial ? this.#waiting.firstNs : Infinity
  }

  /** Dials the connections that are due. */
  turn(now: number): void {
    const [waiting, dials] = [this.#waiting, this.#dials]
    while (waiting.firstNs <= now && dials.hasRoom && !this.#traffic.over) {
      if (!dials.isReady(now)) return
      const stream = this.#traffic.streams[waiting.first!]!
      waiting.removeFirst()
      dials.dial(stream.index, stream.connection, this, now)
    }
  }

  opened(slot: number, beganNs: number, now: number): void {
    const { counters, histograms } = this.#traffic.meter
    histograms.connect.record(now - beganNs)
    counters[counter.opened]!++
    this.#onOpen(this.#traffic.streams[slot]!, now)
  }

  failed(slot: number, error: Error, now: number): void {
    const stream = this.#traffic.streams[slot]!
    const name = failureName(error)
    this.#traffic.evidence.noteReason(name, reasonWhy(error))
    stream.dialFailed(name)
    this.begin(stream, now)
  }
}
