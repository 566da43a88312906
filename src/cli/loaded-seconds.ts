/** Latency under load while it is measured: a line on a terminal, or a line of JSON each second. */
import type { LoadedPhase, LoadedRun } from '../bench/direction/loaded.ts'
import { since, type Snapshot } from '../metrics/snapshot.ts'
import { formatBits } from '../report/direction/bits.ts'
import { micros } from '../report/ladder.ts'
import { distribution } from '../report/summarize.ts'
import { tcpBetween } from './direction-seconds.ts'

const secondMs = 1_000
/** A remainder at the end of a phase that is shorter than this is not printed. */
const wholeMs = 900

/**
 * Prints a line for each second of each phase as soon as it is over. For `up` the line says what
 * the other end had confirmed by then. Returns a function that ends it.
 */
export function tellLoaded(run: LoadedRun, print: (text: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined
  let phase: LoadedPhase = run.phase
  let second = 0
  let before = run.look()
  let beganMs = before.flows.atMs
  const tell = () => {
    const now = run.look()
    print(`${JSON.stringify({ event: 'interval', phase, second, ...passed(before, now) })}\n`)
    second++
    before = now
  }
  const wait = () => {
    const dueMs = beganMs + (second + 1) * secondMs
    timer = setTimeout(onSecond, Math.max(1, dueMs - performance.now()))
  }
  const onSecond = () => {
    tell()
    wait()
  }
  const end = () => {
    clearTimeout(timer)
    if (performance.now() - before.flows.atMs >= wholeMs) tell()
  }
  run.onPhase(next => {
    // Prints the rest of the idle phase now: its round trips cannot be read later.
    if (phase === 'filling') end()
    else clearTimeout(timer)
    phase = next
    second = 0
    before = run.look()
    beganMs = before.flows.atMs
    wait()
  })
  wait()
  return end
}

type Look = ReturnType<LoadedRun['look']>

function passed(before: Look, now: Look) {
  const trips = since(before.trips, now.trips)
  const { bytesConfirmed, bytesVerified, atMs } = since(before.flows, now.flows)
  return {
    seconds: atMs / 1e3,
    received: trips.messagesReceived,
    responseUs: distribution(trips.response),
    upBytes: bytesConfirmed,
    downBytes: bytesVerified,
    ...tcpBetween(before.flows, now.flows),
  }
}

/** The present phase and the figures so far, for a terminal. */
export function loadedLine(run: LoadedRun): () => string {
  let before = run.look().flows
  let idle = ''
  return () => {
    const { phase } = run
    const { trips, flows } = run.look()
    const seconds = (flows.atMs - before.atMs) / 1e3 || 1
    const rate = (of: (at: Snapshot) => number) => formatBits((of(flows) - of(before)) / seconds)
    before = flows
    const median = medianOf(trips)
    if (phase === 'idle') idle = median
    return [
      `${phase} ${Math.round(run.share * 100)}%`,
      ...(median === '' ? [] : [`median of a round trip ${median}`]),
      ...(phase === 'idle' || idle === '' ? [] : [`idle ${idle}`]),
      ...(flows.bytesConfirmed > 0 ? [`up ${rate(at => at.bytesConfirmed)}`] : []),
      ...(flows.bytesVerified > 0 ? [`down ${rate(at => at.bytesVerified)}`] : []),
    ].join('  ')
  }
}

function medianOf({ response }: Snapshot): string {
  const [ns] = response.quantiles([0.5]) as [number]
  return Number.isNaN(ns) ? '' : micros(ns / 1e3)
}
