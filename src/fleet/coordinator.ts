/** A load that agents send: prepared, begun at one instant, watched, and summed up. */
import { randomBytes } from 'node:crypto'
import { toAddress, type Address } from '../vocabulary/address.ts'
import { sharedOffsetNs } from '../vocabulary/clock.ts'
import { UserError } from '../vocabulary/errors.ts'
import { parseInstant } from '../vocabulary/instant.ts'
import type { BenchOptions, LoadRun } from '../bench.ts'
import { Seconds } from '../bench/seconds.ts'
import type { Load } from '../load/plan.ts'
import { takeSnapshot, type Snapshot } from '../metrics/snapshot.ts'
import type { Interval, RunResult } from '../report/result.ts'
import { nowMs } from './clock.ts'
import { deferred, within } from './deferred.ts'
import type { Fleet, FleetListener } from './fleet.ts'
import type { Loss, Member } from './member.ts'
import { missedMax, secondMs, tickAt, type ToCoordinator } from './messages.ts'
import { sentOptions } from './plan.ts'
import { checkPlan, invite, synchronize } from './recruit.ts'
import type { Opened } from './sealed.ts'
import { sumUp } from './sum.ts'
import { Totals } from './totals.ts'

const lookEveryMs = 100
/** The start lies ahead by this, and by several times what the way to an agent takes. */
const leadMs = 200
const leadPerAgentMs = 0.5
const waysAhead = 20
/** How late a snapshot may be before it counts as missing. */
const graceMs = 500
/** The longest pause of an agent before it connects to the broker again, and some time for it. */
const backWithinMs = 6_000

export class FleetRun implements LoadRun, FleetListener {
  readonly ready: Promise<Address>
  readonly finished: Promise<RunResult>
  readonly intervals: Interval[] = []
  readonly id = randomBytes(8).toString('hex')
  readonly members = new Map<string, Member>()
  readonly totals = new Totals()
  readonly #listeners: ((interval: Interval) => void)[] = []
  readonly #opening = new AbortController()
  #fleet: Fleet | undefined
  #load!: Load
  #stopped: 'drain' | 'now' | undefined
  /** On the clock of this process; Infinity until it is known. */
  #startMs = Infinity
  #seconds!: Seconds
  #tick = -1
  /** When that began, in milliseconds after the start. */
  #brokerDown: { sinceMs: number } | undefined
  #look = () => {}

  /** @param leave is called at its end */
  constructor(
    open: () => Promise<Fleet>,
    address: string | Address,
    options: BenchOptions,
    leave: (fleet: Fleet) => Promise<void>,
  ) {
    const ready = deferred<Address>()
    // In a later turn, so that what is wrong with the options rejects too.
    this.finished = Promise.resolve().then(async () => {
      this.#load = checkPlan(address, options)
      this.#fleet = await open()
      try {
        this.#fleet.listener = this
        await this.#begin(toAddress(address), options)
        ready.resolve(toAddress(address))
        await this.#end()
        return await this.#sum(toAddress(address), options)
      } finally {
        this.#release()
        this.#fleet.listener = undefined
        await leave(this.#fleet)
      }
    })
    this.ready = Promise.race([ready.promise, this.finished.then(() => ready.promise)])
    for (const promise of [this.ready, this.finished]) promise.catch(() => {})
  }

  get stopping(): boolean {
    return this.#stopped !== undefined
  }

  onInterval(listener: (interval: Interval) => void): void {
    this.#listeners.push(listener)
  }

  snapshot(): Snapshot {
    return this.totals.snapshot(performance.now())
  }

  stop(how: 'drain' | 'now' = 'drain'): void {
    this.#stopped = how
    if (this.#startMs === Infinity) this.#opening.abort(stoppedEarly())
    for (const { present } of this.members.values())
      this.#fleet?.say(present, { kind: 'stop', run: this.id, how })
    this.#look()
  }

  /** Finds agents, lets them connect, and names the instant. */
  async #begin(address: Address, options: BenchOptions): Promise<void> {
    const fleet = this.#fleet!
    const { signal } = this.#opening
    const load = this.#load
    await invite(this, fleet, address, options, signal)
    const errorMs = await synchronize(this, fleet, load.timeoutMs, signal)
    const aheadMs = leadMs + leadPerAgentMs * this.members.size + waysAhead * errorMs
    const wantedMs = load.startAt === undefined ? 0 : parseInstant(load.startAt) - Date.now()
    this.#startMs = nowMs() + Math.max(aheadMs, wantedMs)
    this.#seconds = new Seconds(load.durationMs, make => {
      const interval = make()
      this.intervals.push(interval)
      for (const listener of this.#listeners) listener(interval)
    })
    this.#seconds.begin({ ...takeSnapshot([]), atMs: this.#ownMs(load.warmupMs) })
    const plan = sentOptions(options)
    for (const member of this.members.values()) {
      member.heardMs = this.#startMs
      fleet.say(member.present, { kind: 'start', run: this.id, atMs: this.#startMs, address, plan })
    }
    await within(
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      }),
      this.#startMs - nowMs(),
    )
  }

  /** An instant after the start, on the clock of performance.now(). */
  #ownMs(afterMs: number): number {
    return this.#startMs + afterMs - sharedOffsetNs() / 1e6
  }

  get #elapsedMs(): number {
    return nowMs() - this.#startMs
  }

  /** Resolves once nothing more will come. */
  async #end(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setInterval(() => this.#look(), lookEveryMs)
      this.#look = () => {
        this.#lookForLosses()
        this.#count()
        if (![...this.members.values()].every(member => this.#isOver(member))) return
        clearInterval(timer)
        this.#look = () => {}
        resolve()
      }
      this.#look()
    })
    this.#count()
    for (const member of this.members.values()) member.countAll()
    this.#seconds.end(this.#snapshotAt(this.#elapsedMs))
  }

  #isOver({ delivered, loss, heardMs }: Member): boolean {
    if (delivered || loss?.failed) return true
    const { timeoutMs: mostMs } = this.#fleet!
    // One whose connection broke tries again within that time, if it is there.
    const timeoutMs = loss?.isGone ? Math.min(mostMs, backWithinMs) : mostMs
    const silentMs = nowMs() - heardMs
    if (this.#stopped === 'now') return silentMs > secondMs
    if (!loss && !this.#brokerDown) return false
    const { warmupMs, durationMs, drainMs } = this.#load
    const plannedMs = durationMs === Infinity ? 0 : warmupMs + durationMs + drainMs
    // By then it has written its part to a file.
    if (this.#brokerDown) return silentMs > timeoutMs && this.#elapsedMs > plannedMs
    return silentMs > timeoutMs
  }

  #lookForLosses(): void {
    if (this.#brokerDown) return
    for (const member of this.members.values()) {
      const silentMs = nowMs() - member.heardMs
      if (member.delivered || member.loss || silentMs <= missedMax * secondMs + graceMs) continue
      this.#lose(member, 'was silent')
    }
  }

  #lose(member: Member, what: string, how: Partial<Loss> = {}): void {
    const lastMs = this.#msOf(member.tick)
    const afterMs = Math.max(0, this.#elapsedMs)
    member.loss ??= { afterMs, lastMs, what, failed: false, isGone: false, ...how }
  }

  #msOf(tick: number): number {
    const { warmupMs, durationMs } = this.#load
    return tick < 0 ? 0 : tickAt(tick, warmupMs, durationMs)
  }

  /** The seconds for which all agents have reported that can. */
  #count(): void {
    const members = [...this.members.values()]
    const pending = members.filter(({ delivered, loss }) => !delivered && !loss)
    const all = pending.length > 0 ? pending : members
    const complete =
      pending.length > 0
        ? Math.min(...all.map(({ tick }) => tick))
        : Math.max(...all.map(({ tick }) => tick))
    const { count, warmupMs } = this.#load
    for (; this.#tick < complete;) {
      this.#tick++
      for (const member of members) member.countUpTo(this.#tick)
      const afterMs = this.#msOf(this.#tick)
      if (afterMs <= warmupMs) continue
      const now = this.#snapshotAt(afterMs)
      const isOver = this.stopping || now.messagesPlanned >= count
      this.#seconds.take(now, count === Infinity && !isOver, isOver)
    }
  }

  #snapshotAt(afterMs: number): Snapshot {
    return this.totals.snapshot(this.#ownMs(afterMs))
  }

  heard(agent: string, opened: Opened<ToCoordinator>): void {
    const { words } = opened
    const member = this.members.get(agent)
    if (!member || words.run !== this.id) return
    member.heardMs = Math.max(member.heardMs, nowMs())
    // It is late, but there: what it sends counts.
    if (member.loss && !member.loss.failed) {
      member.returned ??= member.loss
      member.loss = undefined
    }
    if (words.kind === 'ping') {
      const { sentMs } = words
      const pong = { kind: 'pong' as const, run: this.id, sentMs, atMs: nowMs() }
      this.#fleet!.say(member.present, pong, false)
    } else if (words.kind === 'snapshot') {
      member.snapshot(words.tick, opened.bytes)
      this.#fleet!.say(member.present, { kind: 'ack', run: this.id, tick: words.tick }, false)
      this.#look()
    } else if (words.kind === 'part') {
      if (member.piece({ ...opened, words }))
        this.#fleet!.say(member.present, { kind: 'taken', run: this.id })
      this.#look()
    } else this.#stepped(member, words)
  }

  #stepped(member: Member, words: Exclude<ToCoordinator, { kind: 'ping' | 'snapshot' | 'part' }>) {
    if (words.kind === 'accepted' || words.kind === 'busy') member.accepted.resolve(words.kind)
    else if (words.kind === 'ready') member.ready.resolve()
    else if (words.kind === 'synced') member.synced.resolve((member.clock = words))
    else {
      const { kind, message, hint } = words.error
      member.failed(new UserError(kind, `Agent ${member.name}: ${message}`, hint))
      this.#lose(member, `failed: ${message}`, { failed: true })
      this.#look()
    }
  }

  gone(agent: string): void {
    const member = this.members.get(agent)
    if (!member || member.delivered) return
    member.failed(new UserError('network', `Agent ${member.name} died before the load began.`))
    if (this.#startMs < Infinity) this.#lose(member, 'died', { isGone: true })
    this.#look()
  }

  broker(up: boolean): void {
    if (up) for (const member of this.members.values()) member.heardMs = nowMs()
    this.#brokerDown = up ? undefined : { sinceMs: this.#elapsedMs }
    this.#look()
  }

  /** Releases the members that do not know that the run is over. */
  #release(): void {
    for (const { delivered, present } of this.members.values())
      if (!delivered) this.#fleet!.say(present, { kind: 'release', run: this.id })
  }

  async #sum(address: Address, options: BenchOptions): Promise<RunResult> {
    const lost = [...this.members.values()].some(({ delivered }) => !delivered)
    return sumUp({
      run: this.id,
      address,
      options,
      load: this.#load,
      startMs: this.#startMs,
      members: [...this.members.values()],
      // An agent that is gone has told of its seconds only here.
      intervals: lost ? this.intervals : undefined,
      brokerDownMs: this.#brokerDown?.sinceMs,
    })
  }
}

const stoppedEarly = () => new UserError('network', 'It was stopped before it was connected.')
