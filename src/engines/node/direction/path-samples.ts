/** What the system of a sender says of its connection, once a second (TCP_INFO). */
import type { FoundDirection } from '../../../load/direction/thread-flows.ts'
import { counter, type CounterName } from '../../../metrics/meter.ts'
import { tcpInfo, type TcpInfo } from '../../os/path-info.ts'

/** How often the system is asked; for a day at most. */
const sampleMs = 1_000
const samplesMax = 86_400

export class PathSamples {
  readonly #counters: Float64Array
  readonly #beganMs = performance.now()
  #timer: NodeJS.Timeout | undefined

  constructor(counters: Float64Array) {
    this.#counters = counters
  }

  /** Asks this machine's system, for the direction in which this end sends. */
  ask(side: FoundDirection, descriptor: () => number): void {
    this.#timer = setInterval(() => {
      const info = tcpInfo(descriptor())
      if (info) this.note(side, info)
    }, sampleMs)
  }

  note(side: FoundDirection, info: TcpInfo): void {
    const atMs = Math.round(performance.now() - this.#beganMs)
    side.tcp ??= []
    const before = side.tcp.at(-1)?.retransmits ?? 0
    this.#count('segmentsAgain', Math.max(0, info.retransmits - before))
    this.#count('tcpSamples', 1)
    this.#count('tcpRttUs', info.rttUs)
    this.#count('tcpWindowBytes', info.windowBytes)
    if (side.tcp.length < samplesMax) side.tcp.push({ atMs, ...info })
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #count(name: CounterName, by: number) {
    this.#counters[counter[name]]! += by
  }
}
