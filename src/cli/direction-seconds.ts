/** The seconds of a direction while they pass, for `--ndjson`. */
import type { DirectionRun } from '../bench/direction/run.ts'
import type { Counts } from '../metrics/snapshot.ts'
import { micros } from '../report/ladder.ts'
import { formatCount, formatSize } from '../vocabulary/units.ts'

/** A remainder at the end that is shorter than this is not printed. */
const wholeMs = 900

/**
 * Prints a line for each second of the window as soon as it is over: what this end knew by then.
 * For `up` this is what the other end had confirmed. The intervals of the result use the clock of
 * the receiver, so they differ by what was in flight. Returns a function that stops this.
 */
export function tellSeconds(run: DirectionRun, print: (text: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined
  let ended = false
  let begun = false
  let second = 0
  let before = run.snapshot()
  let [warmupMs, durationMs] = [0, Infinity]
  const isDue = () => (second + 1) * 1e3 <= durationMs
  const tell = () => {
    if (!isDue()) return
    const now = run.snapshot()
    const passed = {
      event: 'interval',
      second,
      seconds: (now.atMs - before.atMs) / 1e3,
      upBytes: now.bytesConfirmed - before.bytesConfirmed,
      downBytes: now.bytesVerified - before.bytesVerified,
      ...tcpBetween(before, now),
    }
    print(`${JSON.stringify(passed)}\n`)
    second++
    before = now
  }
  const begin = () => {
    begun = true
    before = run.snapshot()
    timer = setInterval(tell, 1_000)
  }
  const onReady = () => {
    if (run.window) ({ warmupMs, durationMs } = run.window)
    if (!ended) timer = setTimeout(begin, warmupMs)
  }
  // The failure reaches the caller that awaits the run.
  run.ready.then(onReady, () => {})
  return () => {
    ended = true
    clearTimeout(timer)
    clearInterval(timer)
    // The last second may be over at the same time as the run.
    if (begun && run.snapshot().atMs - before.atMs >= wholeMs) tell()
  }
}

/**
 * What the kernels of senders reported between two snapshots: means over all flows; null if
 * nothing.
 */
export function tcpBetween(before: Counts, now: Counts) {
  const samples = now.tcpSamples - before.tcpSamples
  const mean = (from: number, to: number) =>
    samples > 0 ? Math.round((to - from) / samples) : null
  return {
    retransmits: now.segmentsAgain - before.segmentsAgain,
    rttUs: mean(before.tcpRttUs, now.tcpRttUs),
    windowBytes: mean(before.tcpWindowBytes, now.tcpWindowBytes),
  }
}

/**
 * The same reports for a terminal. They come once a second, so each is shown until the next one.
 */
export function tcpShown(): (before: Counts, now: Counts) => string[] {
  let told: string[] = []
  return (before, now) => {
    const { rttUs, windowBytes } = tcpBetween(before, now)
    if (rttUs !== null && windowBytes !== null)
      told = [`rtt ${micros(rttUs)}`, `window ${formatSize(windowBytes)}`]
    const again = now.segmentsAgain
    return [...told, ...(again > 0 ? [`${formatCount(again)} segments sent again`] : [])]
  }
}
