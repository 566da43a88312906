/** What the kernels of senders reported about their connections (TCP_INFO), second by second. */
import type { TcpSample } from '../../load/direction/thread-flows.ts'

export interface DirectionTcp {
  retransmits: number
  /** For each second: how many segments were sent again, and means over the flows. */
  seconds: { second: number; retransmits: number; rttUs: number; windowBytes: number }[]
}

/** @param flows the samples of each flow, a second apart */
export function tcpOf(flows: readonly (readonly TcpSample[])[]): DirectionTcp | undefined {
  const told = flows.filter(samples => samples.length > 0)
  if (told.length === 0) return undefined
  const length = Math.max(...told.map(samples => samples.length))
  const seconds = Array.from({ length }, (_, second) => {
    const now = told.flatMap(samples => samples[second] ?? [])
    const before = told.map(samples => samples[second - 1]?.retransmits ?? 0)
    const sum = (of: (sample: TcpSample) => number) =>
      now.reduce((total, sample) => total + of(sample), 0)
    return {
      second,
      retransmits: told.reduce(
        (total, samples, n) =>
          total + Math.max(0, (samples[second]?.retransmits ?? before[n]!) - before[n]!),
        0,
      ),
      rttUs: Math.round(sum(({ rttUs }) => rttUs) / now.length),
      windowBytes: Math.round(sum(({ windowBytes }) => windowBytes) / now.length),
    }
  })
  return { retransmits: seconds.reduce((sum, { retransmits }) => sum + retransmits, 0), seconds }
}
