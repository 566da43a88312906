/**
 * When the messages of one thread's load are due, and when its window begins and ends. Instants are
 * nanoseconds on the clock of performance.now().
 */
import { counter, type Meter } from '../metrics/meter.ts'
import { createPacer, type Pacer, type MessagePlace } from './pacer.ts'
import type { ThreadLoad } from './thread-load.ts'
import { parseThinkTime, Thinking } from './thinking.ts'
import { Replies, type ReplyLog } from './replies.ts'
import { StageLogs, type StageLog } from './stage-log.ts'
import { Stalls } from './stalls.ts'

/** One connection of a load, as far as the plan knows it. */
export interface Planned {
  /** The connection's number in this thread. */
  readonly index: number
  /** The connection's number in the whole load. */
  readonly connection: number
  /**
   * Open loop: this many more are due, in the window or in the warm-up. Returns whether any can be
   * sent.
   */
  plan(count: number, measured: boolean): boolean
}

/** The most messages that a turn looks at one by one: more than that could not be sent in it. */
const lookedAtMax = 2 ** 17
/** The limit for all later turns, once a turn had more than that. */
const lookedAtMaxBehind = 100
/**
 * The window of a closed loop with a count lasts at least until this share of the count is back.
 */
const enoughShare = 0.9
/** The lateness of messages that are not looked at one by one is recorded in this many steps. */
const latenessSteps = 128

/** Why nothing more is planned. */
type PlanEnd = 'time' | 'count' | 'stopped' | 'dead'

export abstract class Timetable<S extends Planned> {
  readonly task: ThreadLoad
  readonly meter: Meter
  abstract readonly streams: readonly S[]
  /** Nothing more is planned; what was planned may still be sent. */
  over = false
  startedNs = 0
  /** What is planned before this instant belongs to the warm-up. */
  measureFromNs = 0
  /** Replies to messages of the window; in a closed loop all replies from its first instant on. */
  replies = new Replies(0)
  /** When the messages of the window were sent. */
  sends = new Replies(0)
  /** Closed loop: whether the replies that come within the window count. */
  readonly goesByClock: boolean
  /** Whether messages are sent by a plan, and not when echoes have come back. */
  readonly openLoop: boolean
  /** Whether all that is sent is planned: then a thread without a processor falls behind. */
  readonly isPlanned: boolean
  /** Closed loop: which connections wait before their next message. */
  readonly thinking: Thinking<S> | undefined
  /** The stalls of its thread. */
  readonly stalls: Stalls
  readonly #pacer: Pacer | undefined
  /** Set if the rate changes. */
  #stages: StageLogs | undefined
  #endNs = 0
  #overNs = 0
  #ending: PlanEnd | undefined
  /** Messages that may still be planned, the warm-up left out. */
  #left: number
  #lookedAtMax = lookedAtMax

  constructor(task: ThreadLoad, meter: Meter) {
    this.task = task
    this.meter = meter
    this.#left = task.count
    const { firstConnection: first, connectionStep: step } = task
    this.#pacer = task.pace && createPacer(task.arrivals, task.pace, { first, step })
    this.openLoop = this.#pacer !== undefined
    if (task.thinkTime !== undefined)
      this.thinking = new Thinking(parseThinkTime(task.thinkTime), task.seed, task.connections)
    this.goesByClock = !this.openLoop
    this.stalls = new Stalls(meter, this.openLoop)
    this.isPlanned = this.openLoop || (task.churn !== undefined && task.connections === 0)
  }

  /** @param atNs when it begins; no later call has an earlier instant */
  start(atNs: number): void {
    this.startedNs = atNs
    this.measureFromNs = atNs + this.task.warmupMs * 1e6
    this.#endNs = this.measureFromNs + this.task.durationMs * 1e6
    const stages = this.task.pace?.stages
    this.#stages = stages && new StageLogs(stages, atNs)
    this.stalls.start(atNs, this.measureFromNs, this.#endNs)
    this.replies = new Replies(this.measureFromNs, enoughShare * this.task.count)
    this.sends = new Replies(this.measureFromNs)
  }

  /** When a message is due next, or the time is up; Infinity once it is over. */
  get nextNs(): number {
    if (this.over) return Infinity
    const dueNs = this.#pacer ? this.startedNs + this.#pacer.nextNs : Infinity
    return Math.min(dueNs, this.thinking?.nextNs ?? Infinity, this.#endNs)
  }

  /** Open loop: plans what has become due, and calls for each stream that may send. */
  plan(now: number, onDue: (stream: S) => void): void {
    this.stalls.seen(now)
    if (this.thinking) for (const stream of this.thinking.takeAll(now)) onDue(stream)
    const pacer = this.#pacer
    const { lateness } = this.meter.histograms
    if (pacer && !this.over) {
      const until = Math.min(now, this.#endNs)
      for (let lookedAt = 0; ; lookedAt++) {
        const dueNs = this.startedNs + pacer.nextNs
        if (dueNs > until || dueNs >= this.#endNs || this.#left <= 0) break
        if (lookedAt >= this.#lookedAtMax) {
          this.#planMany(until, now, onDue)
          break
        }
        const measured = dueNs >= this.measureFromNs
        if (measured) {
          this.#left--
          this.#stages?.plan(pacer.nextNs, 1)
          lateness.record(now - dueNs)
        }
        const stream = this.streams[pacer.take()]!
        if (stream.plan(1, measured)) onDue(stream)
      }
    }
    this.#endIfOver(now)
  }

  /**
   * Far more is due than can be sent, so messages are counted together: the cost must not grow with
   * their number.
   */
  #planMany(until: number, now: number, onDue: (stream: S) => void): void {
    this.#lookedAtMax = lookedAtMaxBehind
    const firstNs = Math.max(this.startedNs + this.#pacer!.nextNs, this.measureFromNs)
    const free = new Set<S>()
    const count = this.#takeMany(until, (connection, count, measured) => {
      const stream = this.streams[connection]!
      if (stream.plan(count, measured)) free.add(stream)
    })
    const { lateness } = this.meter.histograms
    const part = (step: number) => Math.floor((count * step) / latenessSteps)
    for (let step = 0; step < latenessSteps; step++) {
      const dueNs = firstNs + ((until - firstNs) * (step + 0.5)) / latenessSteps
      lateness.recordMany(now - dueNs, part(step + 1) - part(step))
    }
    for (const stream of free) onDue(stream)
  }

  /** Takes what is due before an instant out of the plan. Returns how many are of the window. */
  #takeMany(
    until: number,
    onTaken: (connection: number, count: number, measured: boolean) => void,
  ): number {
    const pacer = this.#pacer!
    const warmUntil = Math.min(until, this.measureFromNs) - this.startedNs
    pacer.takeMany(warmUntil, Infinity, (connection, count) => onTaken(connection, count, false))
    let taken = 0
    const untilNs = until - this.startedNs
    for (const endNs of [...(this.#stages?.endsBetween(pacer.nextNs, untilNs) ?? []), untilNs]) {
      const fromNs = pacer.nextNs
      const before = taken
      pacer.takeMany(endNs, this.#left, (connection, count) => {
        taken += count
        onTaken(connection, count, true)
      })
      this.#left -= taken - before
      this.#stages?.plan(fromNs, taken - before)
    }
    return taken
  }

  #endIfOver(now: number): void {
    if (this.#left <= 0) this.#end(now, 'count')
    else if (now >= this.#endNs) this.#end(now, 'time')
  }

  plannedNs(stream: Planned, n: number, previousNs: number): number {
    const previous = n === 0 ? 0 : previousNs - this.startedNs
    return this.startedNs + this.#pacer!.plannedNs(stream.index, n, previous)
  }

  /** @param deferred how many of them must wait, because their connection has no room */
  countPlanned(count: number, deferred: number): void {
    const { counters } = this.meter
    counters[counter.messagesPlanned]! += count
    counters[counter.messagesDeferred]! += deferred
  }

  /** Of a stream's messages from `n` to `end`, the first that is due at an instant or later. */
  skip(stream: Planned, n: number, end: number, previousNs: number, untilNs: number): MessagePlace {
    const { startedNs } = this
    const from = { n, previousNs: n === 0 ? 0 : previousNs - startedNs }
    const place = this.#pacer!.skip(stream.index, from, end, untilNs - startedNs)
    return { n: place.n, previousNs: place.previousNs + startedNs }
  }

  /** A message of the window has come back. */
  timed(plannedNs: number, issuedNs: number, now: number): void {
    const { stalls, openLoop } = this
    const { response, service } = this.meter.histograms
    response.record(now - plannedNs)
    this.#stages?.timed(plannedNs, now)
    if (plannedNs < stalls.untilNs) stalls.touched('response', plannedNs, issuedNs, now)
    if (!openLoop) return
    service.record(now - issuedNs)
    if (issuedNs < stalls.untilNs) stalls.touched('service', issuedNs, issuedNs, now)
  }

  /** When the last message may have been due, once nothing more is planned. */
  get plannedUntilNs(): number {
    return Math.min(this.#overNs, this.#endNs)
  }

  /** Closed loop: whether another message may be sent; if so, it counts as planned. */
  mayGoOn(now: number, stream: S, n: number): boolean {
    if (this.over) return false
    if (this.#left > 0 && now < this.#endNs) {
      if (this.thinking && !this.thinking.mayGo(stream, n, now)) return false
      if (now >= this.measureFromNs) this.#left--
      return true
    }
    this.#endIfOver(now)
    return false
  }

  /** Ends the load early: messages that would be due later do not count as planned. */
  stop(now: number): void {
    this.#end(now, 'stopped')
  }

  /**
   * Ends the load because no connection is left: messages that would be due until the end still
   * count as planned.
   */
  die(now: number): void {
    if (this.over) return
    this.#end(now, 'dead')
    const pacer = this.#pacer
    const { durationMs, count } = this.task
    if (!pacer || (durationMs === Infinity && count === Infinity)) return
    const { counters } = this.meter
    for (let lookedAt = 0; this.#left > 0 && lookedAt < this.#lookedAtMax; lookedAt++) {
      const dueNs = this.startedNs + pacer.nextNs
      if (dueNs >= this.#endNs) return
      const { nextNs } = pacer
      pacer.take()
      if (dueNs < this.measureFromNs) continue
      this.#left--
      this.#stages?.plan(nextNs, 1)
      counters[counter.messagesPlanned]!++
    }
    counters[counter.messagesPlanned]! += this.#takeMany(this.#endNs, () => {})
  }

  #end(now: number, ending: PlanEnd): void {
    if (this.over) return
    this.over = true
    this.#overNs = now
    this.#ending = ending
  }

  /** The window, and the replies to it. */
  get log(): ReplyLog {
    const lengthNs = this.#lengthNs
    const counted = !this.openLoop && this.#ending === 'count'
    const most = counted ? this.task.count : Infinity
    const log = this.replies.log(this.measureFromNs, lengthNs, !this.openLoop, most)
    // A count in a closed loop ends when all of it is sent.
    return { ...log, sent: this.sends.until(counted ? Infinity : lengthNs) }
  }

  /** What became of the messages of each stage. */
  get stageLogs(): StageLog[] | undefined {
    return this.#stages?.logs(this.task.warmupMs > 0, this.#lengthNs)
  }

  get #lengthNs(): number {
    const durationNs = this.task.durationMs * 1e6
    const untilOverNs = Math.min(durationNs, Math.max(0, this.#overNs - this.measureFromNs))
    const ending = this.#ending
    if (!this.openLoop) {
      const { enoughNs, lastNs } = this.replies
      if (ending !== 'count') return untilOverNs
      // Most messages of a count may be in flight when the last one is sent.
      return Math.max(untilOverNs, enoughNs < Infinity ? enoughNs : lastNs)
    }
    // With a count the window lasts until one more message would have been due.
    if (this.#left <= 0) {
      const { from, until } = this.task.countedNs!
      return until - from
    }
    return ending === 'dead' && durationNs < Infinity ? durationNs : untilOverNs
  }
}
