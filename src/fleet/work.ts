/** A run of an agent: it takes an assignment, begins with the others, reports counts, and ends. */
import { randomInt } from 'node:crypto'
import { benchHere, prepareBench, type BenchOptions, type LoadRun } from '../bench.ts'
import { sharedOffsetNs, wallOffsetMs } from '../vocabulary/clock.ts'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type { RunResult } from '../report/result.ts'
import { nowMs, OffsetFinder, type Offset } from './clock-offset.ts'
import { deferred, within } from './deferred.ts'
import { deliver } from './delivery.ts'
import type { BrokerLink, SayOptions } from './broker-link.ts'
import { countsMaxBytes, tickAt, topics } from './messages.ts'
import type { Assignment, ToAgent, ToCoordinator, Without } from './messages.ts'
import { changesSince, pack, splitChanges } from './packed.ts'
import { checkShare, type Allowed } from './allow.ts'
import { optionsOfAssignment, shareOfAssignment } from './assignment.ts'

export interface WorkContext {
  link: BrokerLink
  agent: string
  limits: Allowed
  tell: (line: string) => void
  /**
   * Writes a file.
   * @returns its path
   */
  save: (name: string, text: string) => string
}

type Sync = Extract<ToAgent, { kind: 'sync' }>

/** How far ahead a start may be. */
const aheadMaxMs = 24 * 3600e3
const clockBudgetMs = 5_000
const lookEveryMs = 100
/**
 * How many unacknowledged snapshots are kept. Older ones are forgotten; then more is sent again.
 */
const unacknowledgedMax = 4

export class Work {
  readonly finished: Promise<void>
  readonly #assignment: Assignment
  readonly #context: WorkContext
  readonly #topic: string
  #load: { warmupMs: number; durationMs: number } = { warmupMs: 0, durationMs: Infinity }
  #run: LoadRun | undefined
  readonly #sync = deferred<Sync>()
  readonly #start = deferred<Extract<ToAgent, { kind: 'start' }>>()
  readonly #taken = deferred<void>()
  #pong: (words: Extract<ToAgent, { kind: 'pong' }>) => void = () => {}
  #offset: Offset = { offsetMs: 0, errorMs: 0 }
  #startedMs = 0
  #heardMs = nowMs()
  #released = false
  /** Why the run ended, if its coordinator did not end it. */
  #left: string | null = null
  #ticks: NodeJS.Timeout | undefined
  #tick = 0
  readonly #sent = new Map<number, Snapshot>()
  #base: Snapshot | undefined

  constructor(assignment: Assignment, context: WorkContext) {
    this.#assignment = assignment
    this.#context = context
    this.#topic = topics.toCoordinator(assignment.coordinator, context.agent)
    this.finished = this.#go()
  }

  get run(): string {
    return this.#assignment.run
  }

  /** Ends the run, because the agent was asked to leave. */
  leave(): void {
    this.#end('it was told to leave')
  }

  hear(words: Exclude<ToAgent, Assignment>): void {
    this.#heardMs = nowMs()
    switch (words.kind) {
      case 'sync':
        return this.#sync.resolve(words)
      case 'pong':
        return this.#pong(words)
      case 'start':
        return this.#start.resolve(words)
      case 'ack':
        return this.#acknowledged(words.tick)
      case 'taken':
        return this.#taken.resolve()
      case 'stop':
        return this.#run?.stop(words.how)
      case 'release':
        return this.#release()
      default:
        // Does not compile if a kind of message has no case above.
        words satisfies never
    }
  }

  #say(words: Without<ToCoordinator, 'run'>, { bytes, sure = true }: SayOptions = {}): void {
    const all = { ...words, run: this.run }
    this.#context.link.say(this.#topic, all, { bytes, sure }).catch(() => {})
  }

  #release(): void {
    if (this.#startedMs > 0) {
      // No coordinator waits for the counts, so they go to a file.
      this.#heardMs = -Infinity
      return this.#end('its coordinator ended before this agent did')
    }
    this.#released = true
    const over = new UserError('network', 'The load was called off.')
    this.#sync.reject(over)
    this.#start.reject(over)
    this.#run?.stop('now')
  }

  #end(why: string): void {
    if (this.#startedMs === 0) return this.#release()
    this.#left ??= why
    this.#run?.stop('drain')
  }

  async #go(): Promise<void> {
    const { tell } = this.#context
    const { number, of, address } = this.#assignment
    const silence = setInterval(() => this.#lookForSilence(), lookEveryMs)
    try {
      const options = optionsOfAssignment(this.#assignment)
      this.#load = prepareBench(address, { ...options, slice: `${number}/${of}` })
      checkShare(shareOfAssignment(this.#assignment), this.#context.limits)
      this.#say({ kind: 'accepted' })
      const result = await this.#send(address, { ...options, slice: `${number}/${of}` })
      clearTimeout(this.#ticks)
      const startedMs = this.#startedMs + this.#offset.offsetMs
      const delivered = await deliver(result, {
        context: this.#context,
        topic: this.#topic,
        assignment: this.#assignment,
        about: { startedMs, left: this.#left },
        taken: this.#taken.promise,
        isSilent: () => this.#isSilent(),
      })
      tell(`run ${this.run}: ${delivered}`)
    } catch (error) {
      this.#failed(error)
    } finally {
      clearTimeout(this.#ticks)
      clearInterval(silence)
    }
  }

  async #send(address: Assignment['address'], options: BenchOptions): Promise<RunResult> {
    this.#run = benchHere(address, options, {
      startAt: () => this.#startAt(),
      onStart: startNs => {
        this.#startedMs = startNs / 1e6
        this.#waitForTick()
      },
    })
    return this.#run.finished
  }

  #failed(error: unknown): void {
    const { tell } = this.#context
    if (this.#released) return tell(`run ${this.run}: called off`)
    const known = error instanceof UserError
    const { message, hint } = known ? error : { message: String(error), hint: '' }
    tell(`run ${this.run}: ${message} ${hint}`.trimEnd())
    const kind = known ? error.kind : 'network'
    this.#say({ kind: 'failed', error: { kind, message, hint } })
    if (!known) throw error
  }

  /**
   * Reports that all connections are open, and waits for the start.
   * @returns when to start, on the clock of this process
   */
  async #startAt(): Promise<number> {
    this.#say({ kind: 'ready' })
    await this.#findOffset(await this.#sync.promise)
    const { atMs, address, options } = await this.#start.promise
    const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
    if (!same(address, this.#assignment.address) || !same(options, this.#assignment.options))
      throw usageError('The message to start belongs to another load.')
    const ownMs = atMs - this.#offset.offsetMs
    const aheadMs = ownMs - nowMs()
    if (aheadMs <= 0)
      throw new UserError(
        'network',
        `The start came ${formatDuration(-aheadMs)} too late.`,
        'Is the way to the broker slow?',
      )
    if (aheadMs > aheadMaxMs) throw usageError('The start is more than a day ahead.')
    return ownMs * 1e6
  }

  async #findOffset({ trips, pauseMs }: Sync): Promise<void> {
    const finder = new OffsetFinder()
    const endMs = nowMs() + clockBudgetMs
    const mostMs = Math.ceil(Math.min(2 * pauseMs, clockBudgetMs)) || 0
    while (finder.count === 0 || (finder.count < trips && nowMs() < endMs)) {
      // Trips of many agents at the same time would wait for one another.
      await within(this.#start.promise, randomInt(mostMs + 1))
      const sentMs = nowMs()
      const heard = new Promise<void>(resolve => {
        this.#pong = words => {
          if (words.sentMs !== sentMs) return
          finder.answered(sentMs, words.atMs, nowMs())
          resolve()
        }
      })
      this.#say({ kind: 'ping', sentMs }, { sure: false })
      // A round trip is lost if the connection to the broker breaks.
      await Promise.race([within(heard, clockBudgetMs), this.#start.promise])
      if (this.#released) break
    }
    this.#offset = finder.found
    // The agent's wall clock when the coordinator's clock was 0.
    const wallMs = wallOffsetMs() - sharedOffsetNs() / 1e6 - this.#offset.offsetMs
    this.#say({ kind: 'synced', ...this.#offset, wallMs })
  }

  #waitForTick(): void {
    const { warmupMs, durationMs } = this.#load
    const dueMs = this.#startedMs + tickAt(this.#tick, warmupMs, durationMs)
    this.#ticks = setTimeout(() => {
      this.#tell(this.#tick++)
      this.#waitForTick()
    }, dueMs - nowMs())
  }

  /** Sends what has changed since the last counts that the coordinator has. */
  #tell(tick: number): void {
    if (!this.#context.link.up) return
    const now = this.#run!.snapshot()
    const parts = splitChanges(changesSince(this.#base, now), countsMaxBytes)
    this.#sent.set(tick, now)
    const [oldest] = this.#sent.keys()
    if (this.#sent.size > unacknowledgedMax) this.#sent.delete(oldest!)
    for (const [piece, changes] of parts.entries()) {
      const words = { kind: 'snapshot', tick, piece, pieces: parts.length } as const
      this.#say(words, { bytes: pack(changes), sure: false })
    }
  }

  #acknowledged(tick: number): void {
    const known = this.#sent.get(tick)
    if (!known) return
    this.#base = known
    for (const each of this.#sent.keys()) if (each <= tick) this.#sent.delete(each)
  }

  #isSilent(): boolean {
    return nowMs() - this.#heardMs > this.#assignment.timeoutMs
  }

  /**
   * Ends the run if the coordinator is silent. If only the broker is gone, a load that ends by
   * itself goes on.
   */
  #lookForSilence(): void {
    if (!this.#isSilent()) return
    const { link } = this.#context
    const endless = this.#load.durationMs === Infinity
    if (this.#startedMs > 0 && !link.up && !this.#assignment.embedded && !endless) return
    this.#end(
      `it heard nothing from its coordinator for ${formatDuration(this.#assignment.timeoutMs)}`,
    )
  }
}
