/** A load that agents send: prepared, begun at one instant, watched, and summed up. */
import { randomBytes } from 'node:crypto'
import { toAddress, type Address } from '../vocabulary/address.ts'
import { sharedOffsetNs } from '../vocabulary/clock.ts'
import { UserError } from '../vocabulary/errors.ts'
import { parseInstant } from '../vocabulary/instant.ts'
import type { BenchOptions, LoadRun } from '../bench.ts'
import { Seconds } from '../bench/seconds.ts'
import type { Load } from '../load/thread-load.ts'
import { takeSnapshot, type Snapshot } from '../metrics/snapshot.ts'
import { SnapshotSum } from '../metrics/sum.ts'
import type { Interval, RunResult } from '../report/result.ts'
import { leadMsFor, nowMs } from './clock-offset.ts'
import { abortOf, deferred, within } from './deferred.ts'
import type { Fleet, FleetEvents } from './fleet.ts'
import type { AgentLoss, Member } from './member.ts'
import { tickAt, type PartPiece, type ToCoordinator } from './messages.ts'
import { sentOptions } from './assignment.ts'
import { checkPlan, invite, synchronize } from './recruit.ts'
import type { Opened } from './sealed.ts'
import { PartSum } from './sum.ts'
import { isOver, isSilent, type Situation } from './waiting.ts'

const lookEveryMs = 100
/** Messages that come within this time are looked at together: many agents send at once. */
const togetherMs = 10

export class FleetRun implements LoadRun, FleetEvents {
  readonly ready: Promise<Address>
  readonly finished: Promise<RunResult>
  readonly intervals: Interval[] = []
  readonly id = randomBytes(8).toString('hex')
  readonly members = new Map<string, Member>()
  readonly totals = new SnapshotSum()
  readonly #parts = new PartSum()
  readonly #listeners: ((interval: Interval) => void)[] = []
  readonly #opening = new AbortController()
  #fleet: Fleet | undefined
  #load!: Load
  #stopped: 'drain' | 'now' | undefined
  /** When the load begins, on the clock of this process; Infinity until it is known. */
  #startMs = Infinity
  #seconds!: Seconds
  #tick = -1
  /** Since when there is no connection to the broker, in milliseconds after the start. */
  #brokerDown: { sinceMs: number } | undefined
  #look = () => {}
  #looksSoon = false

  /** @param leave is called when the run is over, whether it succeeded or not */
  constructor(
    open: () => Promise<Fleet>,
    address: string | Address,
    options: BenchOptions,
    leave: (fleet: Fleet) => Promise<void>,
  ) {
    const ready = deferred<Address>()
    // In a later turn of the event loop, so that wrong options reject `finished`, too.
    this.finished = Promise.resolve().then(async () => {
      this.#load = checkPlan(address, options)
      this.#fleet = await open()
      try {
        this.#fleet.events = this
        await this.#begin(toAddress(address), options)
        ready.resolve(toAddress(address))
        await this.#end()
        return this.#sum(toAddress(address), options)
      } finally {
        this.#release()
        this.#fleet.events = undefined
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

  /** Finds agents, lets them connect, and names the instant at which the load begins. */
  async #begin(address: Address, options: BenchOptions): Promise<void> {
    const fleet = this.#fleet!
    const { signal } = this.#opening
    const load = this.#load
    await invite(this, fleet, address, options, signal)
    const errorMs = await synchronize(this, fleet, load.timeoutMs, signal)
    const aheadMs = leadMsFor(this.members.size, errorMs)
    const wantedMs = load.startAt === undefined ? 0 : parseInstant(load.startAt) - Date.now()
    this.#startMs = nowMs() + Math.max(aheadMs, wantedMs)
    this.#seconds = new Seconds(load.durationMs, make => {
      const interval = make()
      this.intervals.push(interval)
      for (const listener of this.#listeners) listener(interval)
    })
    this.#seconds.begin({ ...takeSnapshot([]), atMs: this.#ownMs(load.warmupMs) })
    const start = { atMs: this.#startMs, address, options: sentOptions(options) }
    for (const member of this.members.values()) {
      member.heardMs = this.#startMs
      fleet.say(member.present, { kind: 'start', run: this.id, ...start })
    }
    await within(abortOf(signal), this.#startMs - nowMs())
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
        const situation = this.#situation
        if (![...this.members.values()].every(member => isOver(member, situation))) return
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

  get #situation(): Situation {
    return {
      nowMs: nowMs(),
      elapsedMs: this.#elapsedMs,
      stopped: this.#stopped,
      brokerDown: this.#brokerDown !== undefined,
      timeoutMs: this.#fleet!.timeoutMs,
      load: this.#load,
    }
  }

  #lookForLosses(): void {
    if (this.#brokerDown) return
    const now = nowMs()
    for (const member of this.members.values())
      if (isSilent(member, now)) this.#lose(member, 'was silent')
  }

  #lose(member: Member, what: string, how: Partial<AgentLoss> = {}): void {
    const lastMs = this.#msOf(member.tick)
    const afterMs = Math.max(0, this.#elapsedMs)
    member.loss ??= { afterMs, lastMs, what, failed: false, isGone: false, ...how }
  }

  #msOf(tick: number): number {
    const { warmupMs, durationMs } = this.#load
    return tick < 0 ? 0 : tickAt(tick, warmupMs, durationMs)
  }

  /** Counts each second once it is complete: every agent that can still report has reported it. */
  #count(): void {
    const members = [...this.members.values()]
    const pending = members.filter(({ delivered, loss }) => !delivered && !loss)
    const complete =
      pending.length > 0
        ? Math.min(...pending.map(({ tick }) => tick))
        : Math.max(...members.map(({ tick }) => tick))
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
    if (words.run !== this.id || !member) return
    member.heardMs = Math.max(member.heardMs, nowMs())
    // The agent was taken for lost, and is back: its counts are used.
    if (member.loss && !member.loss.failed) {
      member.returned ??= member.loss
      member.loss = undefined
    }
    if (words.kind === 'ping') {
      const pong = { kind: 'pong', run: this.id, sentMs: words.sentMs, atMs: nowMs() } as const
      this.#fleet!.say(member.present, pong, false)
    } else if (words.kind === 'snapshot') {
      if (member.snapshot(words, opened.bytes))
        this.#fleet!.say(member.present, { kind: 'ack', run: this.id, tick: words.tick }, false)
      this.#lookSoon()
    } else if (words.kind === 'part') {
      this.#takePiece(member, { ...opened, words })
      this.#lookSoon()
    } else this.#stepped(member, words)
  }

  #lookSoon(): void {
    if (this.#looksSoon) return
    this.#looksSoon = true
    setTimeout(() => {
      this.#looksSoon = false
      this.#look()
    }, togetherMs)
  }

  #takePiece(member: Member, opened: Opened<PartPiece>): void {
    try {
      const result = member.piece(opened)
      if (result) {
        this.#parts.add(member, result, opened.words, this.#startMs)
        member.deliver(result, opened.words)
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.#lose(member, `failed: ${error.message}`, { failed: true })
    }
    // Sent for repeated pieces, too: an agent repeats them until it hears that its part was taken.
    if (member.delivered) this.#fleet!.say(member.present, { kind: 'taken', run: this.id })
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

  /** Tells the members that do not know it yet that the run is over. */
  #release(): void {
    for (const { delivered, present } of this.members.values())
      if (!delivered) this.#fleet!.say(present, { kind: 'release', run: this.id })
  }

  #sum(address: Address, options: BenchOptions): RunResult {
    const members = [...this.members.values()]
    const lost = members.some(({ delivered }) => !delivered)
    return this.#parts.finish({
      run: this.id,
      address,
      options,
      load: this.#load,
      startMs: this.#startMs,
      members,
      // A lost agent sends no part. What it did in each second is known only from these intervals.
      intervals: lost ? this.intervals : undefined,
      brokerDownMs: this.#brokerDown?.sinceMs,
    })
  }
}

const stoppedEarly = () => new UserError('network', 'It was stopped before it was connected.')
