/** A load while it goes on: drawn in place on a terminal, or as lines for a program. */
import type { LoadRun } from '../bench.ts'
import { LoadWatch, loadLines, type LoadAbout, type LoadView } from '../report/live.ts'
import { intervalLine, stageLine } from '../report/ndjson.ts'
import type { Interval } from '../report/result.ts'
import { beginsWithin, type PlannedStage } from '../report/stage-beginnings.ts'
import { canvas } from './output.ts'

/**
 * How often to draw: faster updates cannot be read, and drawing takes processor time from the
 * measurement.
 */
const drawEveryMs = 250

/**
 * Shows a run on stderr, if stderr is a terminal. Returns a function that wipes it and ends it.
 * Until then nothing else should be written to that terminal.
 */
export function showLoad(run: LoadRun, about: LoadAbout): () => void {
  const { stderr } = process
  if (!stderr.isTTY || process.env.TERM === 'dumb') return () => {}
  const watch = new LoadWatch(about)
  const screen = new Screen(stderr)
  let beganMs: number | undefined
  let view: LoadView | undefined
  const look = () => {
    const now = run.snapshot()
    const waitMs = (about.startAtMs ?? 0) - Date.now()
    // The measurement begins when sending starts, and not when all connections are open.
    if (beganMs !== undefined && waitMs > 0) beganMs = performance.now() + waitMs
    const elapsedMs = now.atMs - (beganMs ?? now.atMs)
    const over = run.stopping || elapsedMs >= about.warmupMs + about.durationMs
    const ready = waitMs > 0 ? 'waiting' : 'sending'
    const phase = beganMs === undefined ? 'connecting' : ready
    view = watch.take(now, over ? 'ending' : phase, elapsedMs)
  }
  const draw = () =>
    view && screen.draw(loadLines(view, { ...canvas(stderr), columns: stderr.columns || 80 }))
  const begin = () => {
    beganMs = performance.now()
    // The start of the measurement; drawn once there is something to show.
    look()
  }
  // The failure reaches the caller that awaits the run.
  run.ready.then(begin, () => {})
  const timer = setInterval(() => {
    look()
    draw()
  }, drawEveryMs)
  stderr.on('resize', draw)
  return () => {
    clearInterval(timer)
    stderr.off('resize', draw)
    screen.end()
  }
}

/**
 * Lines that are drawn again in the same place. The cursor stays visible and stands below them, so
 * that nothing has to be put right if the program is killed.
 */
class Screen {
  readonly #stream: NodeJS.WriteStream
  #drawn: string[] = []

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  /** Draws with a single write, so that it is never seen half-drawn. */
  draw(lines: string[]): void {
    // Lines beyond the height of the terminal could not be redrawn.
    const shown = lines.slice(0, Math.max(1, (this.#stream.rows || lines.length + 1) - 1))
    const text = shown.map(line => `${line}\u001b[K\n`).join('')
    this.#stream.write(`${this.#toTop()}${text}\u001b[J`)
    this.#drawn = shown
  }

  end(): void {
    this.#stream.write(`${this.#toTop()}\u001b[J`)
  }

  #toTop(): string {
    // A terminal that has become narrower has broken the lines.
    const columns = this.#stream.columns || 80
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)),
      0,
    )
    return rows > 0 ? `\r\u001b[${rows}A` : ''
  }
}

/**
 * Prints a line for each second of a run as soon as that second is over; all lines are printed
 * before the run is finished. The line of a stage comes before that of the second in which the
 * stage begins. Returns a function that prints the last stages, given how many have begun.
 */
export function streamIntervals(
  run: LoadRun,
  print: (text: string) => void,
  stages: readonly PlannedStage[] = [],
): (begun: number) => void {
  let told = 0
  const tell = (begun: number) => {
    for (const stage of stages.slice(told, begun)) print(stageLine(++told, stage))
  }
  const onInterval = (interval: Interval) => {
    tell(stages.filter(stage => beginsWithin(stage, interval)).length)
    print(intervalLine(interval))
  }
  run.intervals.forEach(onInterval)
  run.onInterval(onInterval)
  return tell
}
