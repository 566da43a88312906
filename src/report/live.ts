/** A load while it runs, in a few lines: how far it is, how fast, and what went wrong. */
import { failureNames, type FailureName } from '../metrics/meter.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import { formatCount, formatDuration, formatSize, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { printable } from '../vocabulary/text.ts'
import { supported } from './rank.ts'

/** What the load is to do. Without a limit the duration or the count is Infinity. */
export interface LoadAbout {
  address: string
  connections: number
  warmupMs: number
  durationMs: number
  count: number
  /** For a load whose rate changes. */
  stages?: readonly { text: string; ms: number }[] | undefined
  /** When it begins, in milliseconds since 1970, if that was given. */
  startAtMs?: number
}

export type LoadPhase = 'connecting' | 'waiting' | 'sending' | 'ending'

/** What is shown. Rates and times are those of the last second. */
export interface LoadView {
  about: LoadAbout
  phase: LoadPhase
  /** Since sending began, the warm-up included. */
  elapsedMs: number
  /** Messages that came back so far, and those still awaited, the warm-up included. */
  received: number
  awaited: number
  open: number
  ratePerSecond: number
  bytesPerSecond: number
  /** Short connections; null without any. */
  churnPerSecond: number | null
  /** NaN where there are too few samples. */
  p50Ns: number
  p99Ns: number
  errors: Record<FailureName, number>
  /** Corrupt bytes, if they are counted. */
  corruptedBytes: number
  deferred: number
  /**
   * With --reconnect: how often connections were opened again, and how many are without an echo
   * now.
   */
  reconnects: number
  out: number
  /** The rate in each column of the chart, the newest last. */
  rates: readonly number[]
}

/**
 * The time over which rate and times are computed. A shorter one would be noisy, a longer one would
 * lag.
 */
const windowMs = 1_000
export const chartColumnMs = 500
const chartColumnsMax = 500
/** Snapshots are taken by timers, which are not exact. */
const slackMs = 50
export const linesMax = 4

/** Computes the view from snapshots that are taken several times a second. */
export class LoadWatch {
  readonly #about: LoadAbout
  /** The snapshots of the last second, the oldest first. */
  readonly #snapshots: Snapshot[] = []
  readonly #rates: number[] = []
  #column: Snapshot | undefined

  constructor(about: LoadAbout) {
    this.#about = about
  }

  take(now: Snapshot, phase: LoadPhase, elapsedMs: number): LoadView {
    this.#draw(now)
    this.#snapshots.push(now)
    while (now.atMs - (this.#snapshots[1] ?? now).atMs >= windowMs - slackMs)
      this.#snapshots.shift()
    const from = this.#snapshots[0]!
    const seconds = (now.atMs - from.atMs) / 1e3 || 1
    // The other distributions are not subtracted, which would cost most of the time.
    const kind = this.#about.connections > 0 ? 'response' : 'churn'
    const times = now[kind].copy()
    times.add(from[kind], -1)
    const { count } = times
    const [p50Ns, p99Ns] = times
      .quantiles([0.5, 0.99])
      .map((ns, n) => (supported([0.5, 0.99][n]!, count) ? ns : Number.NaN)) as [number, number]
    const perSecond = (count: (at: Snapshot) => number) => (count(now) - count(from)) / seconds
    const sent = now.messagesSent + now.warmupSent
    return {
      about: this.#about,
      phase,
      elapsedMs,
      received: received(now),
      // In the warm-up nothing is counted as planned; only what was sent is known.
      awaited: Math.max(sent - received(now), now.messagesPlanned - now.messagesReceived),
      open: now.open,
      ratePerSecond: perSecond(received),
      bytesPerSecond: perSecond(at => at.bytesIn),
      churnPerSecond: now.churnPlanned > 0 ? perSecond(at => at.churnCompleted) : null,
      p50Ns,
      p99Ns,
      errors: Object.fromEntries(failureNames.map(name => [name, now[name]])) as never,
      corruptedBytes: now.corruptedBytes,
      deferred: now.messagesDeferred,
      reconnects: now.reopened,
      out: now.outagesBegun - now.outagesEnded,
      rates: this.#rates,
    }
  }

  /** A column of the chart, if it is time for one. */
  #draw(now: Snapshot) {
    const before = (this.#column ??= now)
    const ms = now.atMs - before.atMs
    if (ms < chartColumnMs - slackMs) return
    this.#rates.push(((this.#done(now) - this.#done(before)) * 1e3) / ms)
    if (this.#rates.length > chartColumnsMax) this.#rates.shift()
    this.#column = now
  }

  readonly #done = (at: Snapshot) =>
    this.#about.connections > 0 ? received(at) : at.churnCompleted
}

const received = (at: Snapshot) => at.messagesReceived + at.warmupReceived

/** At most four lines, each shorter than the terminal is wide. */
export function loadLines(view: LoadView, { columns, unicode }: Canvas): string[] {
  const width = Math.max(1, columns - 1)
  const { about, phase } = view
  const drawn = { columns: width, unicode }
  const { connections } = about
  const waiting = {
    connecting: `connecting to ${printable(about.address)} (${plural(connections, 'connection')})`,
    waiting: `${plural(view.open, 'connection')} open; it begins in ${clock(-view.elapsedMs)}`,
  }
  const begun = phase !== 'connecting' && phase !== 'waiting'
  const lines = begun
    ? [...headLines(view, drawn), ...flow(figures(view, width), width)]
    : [waiting[phase]]
  const bounded = about.durationMs !== Infinity || about.count !== Infinity
  // If something went wrong, its text needs the room more than the chart.
  if (begun && bounded && view.rates.length > 0 && lines.length < linesMax)
    lines.push(chart(view.rates, drawn))
  return lines.slice(0, linesMax).map(line => line.slice(0, width).trimEnd())
}

/** The progress: a bar if the load has an end, else the time and the chart. */
function headLines({ about, phase, ...view }: LoadView, canvas: Canvas): string[] {
  const { warmupMs, durationMs, count } = about
  if (phase === 'ending') {
    return [view.awaited > 0 ? `waiting for ${plural(view.awaited, 'answer')}` : 'closing']
  }
  const measuredMs = view.elapsedMs - warmupMs
  if (measuredMs < 0)
    return [`warm-up ${bar(view.elapsedMs / warmupMs, timeLeft(-measuredMs, warmupMs), canvas, 8)}`]
  const [time, messages] = [measuredMs / durationMs, view.received / count]
  if (count !== Infinity && messages >= time) {
    const all = formatCount(count)
    const text = `${formatCount(view.received).padStart(all.length)} of ${all}`
    return [bar(messages, text, canvas)]
  }
  if (durationMs !== Infinity)
    return [
      bar(time, stageAt(about, measuredMs) + timeLeft(durationMs - measuredMs, durationMs), canvas),
    ]
  const elapsed = `${clock(view.elapsedMs).padStart(7)}  `
  return [elapsed + chart(view.rates, { ...canvas, columns: canvas.columns - elapsed.length })]
}

/** What is known in numbers, the most important first. */
function figures(view: LoadView, width: number): string[] {
  const { about, errors } = view
  const narrow = width < 60
  const steady = about.connections > 0
  const noun = narrow ? '' : ' messages'
  const time = (ns: number) => (Number.isNaN(ns) ? '-' : formatDuration(ns / 1e6)).padStart(6)
  const parts = [
    steady && `${formatCount(view.ratePerSecond).padStart(9)}${noun}/s`,
    view.churnPerSecond !== null &&
      `${formatCount(view.churnPerSecond)} connections/s`.padStart(steady ? 0 : 18),
    `p50 ${time(view.p50Ns)}`,
    `p99 ${time(view.p99Ns)}`,
    // The bytes of short connections are not counted.
    steady && `${formatSize(view.bytesPerSecond)}/s`.padStart(11),
    failures(errors, narrow),
    `wrong ${formatCount(errors.wrongBytes)}`,
    view.corruptedBytes > 0 && `${plural(view.corruptedBytes, 'byte')} corrupted`,
    view.deferred > 0 && `deferred ${formatCount(view.deferred)}`,
    (view.reconnects > 0 || view.out > 0) &&
      `reconnects ${formatCount(view.reconnects)}, ${formatCount(view.out)} out now`,
    view.phase === 'sending' &&
      view.open < about.connections &&
      `${formatCount(view.open)} of ${formatCount(about.connections)} open`,
  ]
  return parts.filter(part => part !== false)
}

/** Wrong bytes have a place of their own. */
function failures(errors: Record<FailureName, number>, narrow: boolean): string {
  const counted = failureNames.filter(name => name !== 'wrongBytes' && errors[name] > 0)
  const all = counted.reduce((sum, name) => sum + errors[name], 0)
  const names = counted.map(name => `${name} ${formatCount(errors[name])}`)
  return `errors ${formatCount(all)}${narrow || all === 0 ? '' : ` (${names.join(', ')})`}`
}

/** Puts as many parts on a line as there is room for. */
function flow(parts: string[], width: number): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const longer = `${lines.at(-1)}  ${part}`
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer
    else lines.push(part)
  }
  return lines
}

function bar(share: number, text: string, { columns, unicode }: Canvas, taken = 0): string {
  const percent = `${Math.floor(Math.min(1, share) * 100)}%`.padStart(4)
  const [full, empty] = unicode ? (['█', '░'] as const) : (['#', '.'] as const)
  const right = ` ${percent}  ${text}`
  const room = Math.max(0, columns - taken - right.length)
  const done = Math.floor(Math.max(0, Math.min(1, share)) * room)
  return full.repeat(done) + empty.repeat(room - done) + right
}

const ramps = { unicode: '▁▂▃▄▅▆▇█', ascii: '.:-=+*#' }

/** The last rates, from nothing to the highest of them; nothing at all is a gap. */
function chart(rates: readonly number[], { columns, unicode }: Canvas): string {
  const ramp = unicode ? ramps.unicode : ramps.ascii
  const scale = (shown: readonly number[]) => {
    const most = formatCount(Math.max(0, ...shown))
    return `  max ${most}/s in ${clock(shown.length * chartColumnMs)}`.padEnd(21)
  }
  if (rates.length === 0) return ''
  const room = Math.max(0, columns - scale(rates.slice(-columns)).length)
  const shown = rates.slice(rates.length - Math.min(room, rates.length))
  const most = Math.max(0, ...shown)
  const columnOf = (rate: number) =>
    rate > 0 ? ramp[Math.max(0, Math.ceil((rate / most) * ramp.length) - 1)]! : ' '
  return shown.map(columnOf).join('').padEnd(room) + scale(shown)
}

/** The stage that lasts at that time, before the time that is left. */
function stageAt({ stages = [] }: LoadAbout, measuredMs: number): string {
  let endMs = 0
  const at = stages.findIndex(({ ms }) => measuredMs < (endMs += ms))
  return at === -1 ? '' : `${stages[at]!.text} (${at + 1}/${stages.length})  `
}

const timeLeft = (leftMs: number, allMs: number): string =>
  `${clock(Math.max(0, leftMs)).padStart(clock(allMs).length)} left`

/** `3.2s`, `1m 05s`, `2h 03m`: of the same width for a while. */
function clock(ms: number): string {
  if (ms < 60e3) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`
  const two = (value: number) => `${Math.floor(value)}`.padStart(2, '0')
  if (ms < 3600e3) return `${Math.floor(ms / 60e3)}m ${two((ms % 60e3) / 1e3)}s`
  return `${formatCount(Math.floor(ms / 3600e3))}h ${two((ms % 3600e3) / 60e3)}m`
}
