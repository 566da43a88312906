/**
 * The life of a load in one thread: it starts, sends what is due, and winds down once nothing more
 * is planned. Then it waits for what is in flight (the drain), abandons what has not come by then,
 * and ends. It has neither connections nor timers. An engine (mover.ts) moves the bytes, and calls
 * turn() when something is due, when a tick is due, and when its last connection has closed.
 */
import type { Mover, ShortConnections } from './mover.ts'
import type { Planned, Timetable } from './timetable.ts'

/** How long to wait for duplicates after the last echo, where there are no connections to close. */
const lingerNs = 50e6
/** The mover is told to halt again and again, at this interval, until it has halted. */
const haltAgainNs = 1e6
/** If it has not halted after this time, it is not told again. */
const haltMaxNs = 250e6
/** If a tick is this late, the thread was held up, and has not read what came meanwhile. */
const lateNs = 10e6
/** How long the thread then reads, before it looks for timeouts. */
const readNs = 50e6

/** The messages of a load, as far as its life needs to know them. */
export interface LifeTraffic<S extends Planned> extends Timetable<S> {
  /** Looks for timeouts: gives up streams, or lets them send again. */
  tick(now: number, mover: Pick<Mover<S>, 'send' | 'giveUp'>): void
  /** The load has ended: nothing is waited for any longer. */
  close?(now: number): void
  /**
   * Whether nothing is in flight. Left out if connections close by themselves when nothing is in
   * flight.
   */
  isQuiet?(now: number): boolean
}

interface LifeOptions {
  /** How often to look for timeouts, and to do what needs no exact time. */
  tickMs: number
  short?: ShortConnections | undefined
  /**
   * Measures how much processor time the thread gets: at each tick, and when the drain begins and
   * ends.
   */
  measure: (now: number) => void
}

export class Life<S extends Planned> {
  ended = false
  /** When the next tick is due; it need not be on time. */
  tickNs = Infinity
  readonly #traffic: LifeTraffic<S>
  readonly #mover: Mover<S>
  readonly #short: ShortConnections | undefined
  readonly #measure: (now: number) => void
  readonly #everyNs: number
  #windsDown = false
  /** When the drain is over. */
  #abandonNs = Infinity
  #abandoned = false
  /** The instant by which the mover must have halted; undefined before it is asked to. */
  #haltUntilNs: number | undefined
  /** How late the last tick was, if it only left time to read; else 0. */
  #waitedForNs = 0

  constructor(traffic: LifeTraffic<S>, mover: Mover<S>, { tickMs, short, measure }: LifeOptions) {
    this.#traffic = traffic
    this.#mover = mover
    this.#short = short
    this.#measure = measure
    this.#everyNs = tickMs * 1e6
  }

  /**
   * Starts the load, which ends at once if nothing is connected.
   * @param startNs when the plan begins: about now
   */
  start(startNs: number, now: number): void {
    this.#traffic.start(startNs)
    this.#short?.start(startNs)
    this.tickNs = now + this.#everyNs
    this.turn(now)
    if (!this.ended && !this.#traffic.openLoop) this.#mover.begin(now)
  }

  /** When a turn is due, as exactly as possible: a message, a short connection, or the end. */
  get dueNs(): number {
    return Math.min(this.#traffic.nextNs, this.#short?.nextNs ?? Infinity)
  }

  /** Does what is due now. */
  turn(now: number): void {
    if (this.ended) return
    const [traffic, mover] = [this.#traffic, this.#mover]
    traffic.plan(now, stream => mover.send(stream, now))
    this.#short?.plan(now)
    if (traffic.over && !this.#windsDown) this.#windDown(now)
    else if (now >= this.tickNs) this.#tick(now)
    if (mover.open === 0 && this.#isDone(now)) this.#end(now)
  }

  /** Ends the load, without a drain if `atOnce`. The caller then calls turn(). */
  stop(now: number, atOnce: boolean): void {
    this.#traffic.stop(now)
    if (!atOnce || this.#abandonNs === -Infinity) return
    this.#abandonNs = -Infinity
    this.tickNs = now
  }

  #tick(now: number): void {
    const [traffic, mover] = [this.#traffic, this.#mover]
    this.#measure(now)
    mover.countSent?.()
    if (this.#readsFirst(now)) return
    traffic.tick(now, mover)
    if (now >= this.#abandonNs) this.#abandon(now)
    else this.#await(now)
  }

  /**
   * Whether the tick is so late that the thread must first read what has come: a server is not to
   * blame for the time in which this thread did nothing. A busy thread is late at every tick, so
   * two ticks in a row do not both wait, unless the second is at least twice as late as the first.
   */
  #readsFirst(now: number): boolean {
    // With a short timeout less time is left for reading.
    const shareNs = (this.#traffic.task.timeoutMs * 1e6) / 2
    const byNs = now - this.tickNs
    const isLate = byNs >= Math.max(Math.min(lateNs, shareNs), 2 * this.#waitedForNs)
    const waits = isLate && this.#abandonNs !== -Infinity
    this.#waitedForNs = waits ? byNs : 0
    if (waits) this.tickNs = now + Math.min(readNs, shareNs)
    return waits
  }

  /**
   * Nothing more is planned: connections that have all their echoes close, and the others wait
   * until the drain ends.
   */
  #windDown(now: number): void {
    const [traffic, mover] = [this.#traffic, this.#mover]
    this.#windsDown = true
    this.#measure(now)
    this.#abandonNs = Math.min(this.#abandonNs, now + traffic.task.drainMs * 1e6)
    // What the system has accepted by now counts as sent within the window: very little of it was
    // accepted later.
    mover.countSent?.(traffic.plannedUntilNs - 1)
    if (this.#abandonNs >= now) for (const stream of traffic.streams) mover.send(stream, now)
    this.#await(now)
  }

  #await(now: number): void {
    const mayRest = this.#windsDown && this.#traffic.isQuiet?.(now)
    if (mayRest) this.#abandonNs = Math.min(this.#abandonNs, now + lingerNs)
    this.tickNs = Math.min(now + this.#everyNs, this.#abandonNs)
  }

  /** The drain is over. Messages that have not come back count as planned, but not as received. */
  #abandon(now: number): void {
    if (this.#abandoned) return
    const [traffic, mover] = [this.#traffic, this.#mover]
    this.#haltUntilNs ??= now + haltMaxNs
    if (mover.halt && !mover.halt() && now < this.#haltUntilNs) {
      this.tickNs = now + haltAgainNs
      return
    }
    this.#abandoned = true
    this.tickNs = Infinity
    mover.countSent?.()
    traffic.close?.(now)
    for (const stream of traffic.streams) mover.giveUp(stream)
    this.#short?.abandon()
  }

  /** Whether there is nothing else to wait for, when no steady connection is left. */
  #isDone(now: number): boolean {
    const { count, durationMs, connections } = this.#traffic.task
    // Without connections the count cannot be reached.
    if (count < Infinity && durationMs === Infinity) this.#traffic.die(now)
    if (this.#short && !this.#short.done) return false
    return connections > 0 || this.#traffic.over
  }

  #end(now: number): void {
    this.ended = true
    this.#traffic.die(now)
    this.#traffic.close?.(now)
    this.#measure(now)
  }
}
