/** Gives the life of a load its turns in Node's event loop, and knows how busy the thread is. */
import { Life, type LifeTraffic } from '../../../load/life.ts'
import type { Mover, ShortConnections } from '../../../load/mover.ts'
import { beatMs, type Stalls, type ThreadEffort } from '../../../load/stalls.ts'
import type { Planned } from '../../../load/timetable.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { Effort } from '../../effort.ts'
import { openAlarm, type Alarm } from '../../os/alarm.ts'

/**
 * An alarm wakes the thread this long before a message is due, and may be late by half of that; for
 * the rest the loop spins. It must not spin all the time: then the system takes its processor away
 * for milliseconds, and these would be measured.
 */
const alarmLeadNs = 60e3
/** The shortest sleep that is worth it. */
const sleepMinNs = 30e3
/** The same as alarmLeadNs for Node's timers, which are used without an alarm. */
const timerSlackNs = 2e6

export class Turns<S extends Planned> {
  readonly #meter: Meter
  readonly #slackNs: number
  readonly #life: Life<S>
  readonly #effort: Effort
  readonly #stalls: Stalls
  #beating: NodeJS.Timeout | undefined
  readonly #alarm: Alarm | undefined
  /** The sleep that is under way; undefined while the thread is awake. */
  #sleeping: NodeJS.Timeout | 'until the alarm' | undefined
  #asleepUntilNs = 0
  /** When the last turn was; 0 at first, and after a sleep. */
  #lookedAtNs = 0
  #chunksSeen = 0
  #finish!: () => void
  readonly #finished = new Promise<void>(resolve => (this.#finish = resolve))

  constructor(traffic: LifeTraffic<S>, mover: Mover<S>, tickMs: number, short?: ShortConnections) {
    this.#meter = traffic.meter
    // A think time need not be that exact.
    this.#slackNs = traffic.thinking ? 0 : timerSlackNs
    if (traffic.thinking) traffic.thinking.onSooner = () => this.wakeIfDue()
    this.#effort = new Effort(traffic)
    this.#stalls = traffic.stalls
    const measure = (now: number) => this.#effort.update(now)
    this.#life = new Life(traffic, mover, { tickMs, short, measure })
    const isTimed = traffic.openLoop || traffic.thinking !== undefined || short !== undefined
    this.#alarm = isTimed ? openAlarm(() => this.#onAlarm()) : undefined
  }

  /** Resolves when the life has ended. What the mover has not closed is still open then. */
  run(startNs: number): Promise<void> {
    this.#life.start(startNs, nowNs())
    this.#beating = setInterval(() => this.#expect(nowNs(), beatMs), beatMs)
    this.#next()
    return this.#finished
  }

  stop(atOnce: boolean): void {
    this.#life.stop(nowNs(), atOnce)
    this.wake()
  }

  /** Takes a turn soon: something has changed. */
  wake(): void {
    if (!this.#sleeping) return
    if (this.#sleeping !== 'until the alarm') clearTimeout(this.#sleeping)
    this.#turnSoon()
  }

  /** Takes a turn if something is due before the thread would wake up. */
  wakeIfDue(): void {
    if (this.#life.dueNs < this.#asleepUntilNs) this.wake()
  }

  get ended(): boolean {
    return this.#life.ended
  }

  get effort(): ThreadEffort {
    return this.#effort.result
  }

  /**
   * Tells the detection of stalls that the thread runs now, and when it will run again at the
   * latest.
   */
  #expect(now: number, afterMs: number) {
    this.#stalls.expect(now, now + afterMs * 1e6)
  }

  readonly #turn = (): void => {
    const now = nowNs()
    this.#accountForWaiting(now)
    this.#life.turn(now)
    this.#next()
  }

  #next() {
    if (this.#life.ended) {
      clearInterval(this.#beating)
      this.#alarm?.close()
      return this.#finish()
    }
    const now = nowNs()
    const untilNs = this.#wakeUpNs(now)
    // At high rates an open loop spins: to wake up late would be measured as response time.
    if (untilNs <= now) {
      this.#expect(now, 0)
      return void setImmediate(this.#turn)
    }
    this.#expect(now, Math.min(beatMs, (untilNs - now) / 1e6))
    this.#lookedAtNs = 0
    this.#asleepUntilNs = Math.min(this.#life.dueNs, this.#life.tickNs)
    this.#sleepUntil(untilNs, now)
  }

  /** When to wake up for the next turn; now or earlier if there is no time to sleep. */
  #wakeUpNs(now: number): number {
    const { dueNs, tickNs } = this.#life
    if (!this.#alarm) return Math.min(dueNs - this.#slackNs, tickNs)
    const untilNs = Math.min(dueNs - alarmLeadNs, tickNs)
    return untilNs < now + sleepMinNs ? now : untilNs
  }

  #sleepUntil(untilNs: number, now: number) {
    if (this.#alarm) {
      this.#sleeping = 'until the alarm'
      return this.#alarm.set(untilNs)
    }
    this.#sleeping = setTimeout(this.#turnSoon, Math.min((untilNs - now) / 1e6, timerMaxMs))
  }

  #onAlarm() {
    if (this.#sleeping === 'until the alarm') this.#turnSoon()
  }

  /** What has come is read first: the server is not to blame for the lateness of this thread. */
  readonly #turnSoon = (): void => {
    this.#sleeping = undefined
    setImmediate(this.#turn)
  }

  /** A turn in which nothing was due and nothing came counts as waiting, though it used the CPU. */
  #accountForWaiting(now: number) {
    const chunks = this.#meter.counters[counter.chunks]!
    const idle = chunks === this.#chunksSeen && now < this.#life.dueNs
    if (idle && this.#lookedAtNs > 0) this.#effort.waited(now - this.#lookedAtNs)
    this.#chunksSeen = chunks
    this.#lookedAtNs = now
  }
}
