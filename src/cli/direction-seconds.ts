/** The seconds of a direction while they pass, for `--ndjson`. */
import type { DirectionRun } from '../bench/direction/run.ts'

/** Less than that is left over at the end, and no second. */
const wholeMs = 900

/**
 * Prints a line for each second of the window as soon as it is over: what this end knew by then; of
 * what was sent up, that is what the other end had confirmed. The intervals of the result are by
 * the clock of the receiver, so they differ by what was under way. Returns a function that ends it.
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
      retransmits: now.segmentsAgain - before.segmentsAgain,
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
