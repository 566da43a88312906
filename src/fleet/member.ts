/** An agent in a run, as its coordinator sees it. */
import { gunzipSync } from 'node:zlib'
import { UserError } from '../vocabulary/errors.ts'
import type { SnapshotSum } from '../metrics/sum.ts'
import type { RunResult } from '../report/result.ts'
import { nowMs } from './clock-offset.ts'
import { deferred } from './deferred.ts'
import type { PartPiece, Synced, ToCoordinator } from './messages.ts'
import { changesIn, pack, unpack } from './packed.ts'
import type { Present } from './roster.ts'
import type { Opened } from './sealed.ts'
import { AgentTotals } from './totals.ts'

/** When an agent was lost; both times in milliseconds after the start. */
export interface AgentLoss {
  afterMs: number
  /** When its last counts were made. */
  lastMs: number
  what: string
  /** The agent itself reported the failure, and will not come back. */
  failed: boolean
  /** The broker says that its connection is broken. */
  isGone: boolean
}

/** What is known of an agent whose part was added to the others. */
export interface Delivered {
  startedMs: number
  left: string | null
}

type SnapshotPiece = Extract<ToCoordinator, { kind: 'snapshot' }>

/** No part of a load is longer than this. */
const partMaxBytes = 1 << 30
const piecesMax = 1 << 14

export class Member {
  readonly present: Present
  readonly number: number
  readonly accepted = deferred<'accepted' | 'busy'>()
  readonly ready = deferred<void>()
  readonly synced = deferred<Synced>()
  readonly counted: AgentTotals
  /** Pieces of snapshots, packed: they wait until those of the others have come, too. */
  readonly #pending = new Map<number, { pieces: number; came: Map<number, Buffer> }>()
  /** The last snapshot that has come whole, and the last one that is counted. */
  tick = -1
  #counted = -1
  /** How many messages had come back after each second that was counted. */
  readonly received: { tick: number; count: number; sent: number }[] = []
  heardMs = nowMs()
  loss: AgentLoss | undefined
  /** Set if the agent was lost for a while. */
  returned: AgentLoss | undefined
  delivered: Delivered | undefined
  clock: Synced | undefined
  /** Everything that the member counted, packed, from when its part has come until it is added. */
  #total: Buffer | undefined
  readonly #pieces = new Map<number, Buffer>()

  constructor(present: Present, number: number, totals: SnapshotSum) {
    this.present = present
    this.number = number
    this.counted = new AgentTotals(totals)
  }

  get name(): string {
    return this.present.hello.name
  }

  /** The member failed before it began: none of the steps will come. */
  failed(error: Error): void {
    this.accepted.reject(error)
    this.ready.reject(error)
    this.synced.reject(error)
  }

  /** @returns whether all of that second has come */
  snapshot({ tick, piece, pieces }: Omit<SnapshotPiece, 'kind' | 'run'>, bytes: Buffer): boolean {
    if (tick <= this.#counted) return true
    if (!Number.isInteger(tick) || !isPiece(piece, pieces)) return false
    const pending = this.#pending.get(tick) ?? { pieces, came: new Map<number, Buffer>() }
    this.#pending.set(tick, pending)
    pending.came.set(piece, bytes)
    if (pending.came.size < pending.pieces) return false
    this.tick = Math.max(this.tick, tick)
    return true
  }

  /** Counts what has come up to that second. */
  countUpTo(tick: number): void {
    const due = [...this.#pending.keys()].filter(each => each <= tick).toSorted((a, b) => a - b)
    for (const each of due) {
      const { pieces, came } = this.#pending.get(each)!
      this.#pending.delete(each)
      // What is missing of this second is contained in a later one, too.
      if (came.size < pieces) continue
      for (const bytes of came.values()) this.#take(bytes)
      this.#counted = each
      const [received, sent] = this.counted.messages
      this.received.push({ tick: each, count: received, sent })
    }
    if (this.delivered && tick > this.tick) this.countAll()
  }

  #take(bytes: Buffer): void {
    try {
      this.counted.take(unpack(bytes))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  }

  /** Counts everything that the part of the member has. */
  countAll(): void {
    if (!this.#total) return
    this.#take(this.#total)
    this.#total = undefined
    this.#pending.clear()
    // The part already contains counts that come later.
    this.#counted = Infinity
    this.counted.release()
  }

  /** Its part was taken. */
  deliver(result: RunResult, { startedMs, left }: Delivered): void {
    this.#total = pack(changesIn(result.part!.total))
    this.delivered = { startedMs, left }
  }

  /**
   * @returns its part, once all of it has come.
   * @throws UserError if what came is not a part
   */
  piece({ words, bytes }: Opened<PartPiece>): RunResult | undefined {
    const { piece, pieces } = words
    if (!isPiece(piece, pieces) || this.delivered) return undefined
    this.#pieces.set(piece, bytes)
    if (this.#pieces.size < pieces) return undefined
    const all = Array.from({ length: pieces }, (_, n) => this.#pieces.get(n)!)
    this.#pieces.clear()
    try {
      const text = gunzipSync(Buffer.concat(all), { maxOutputLength: partMaxBytes }).toString()
      return JSON.parse(text) as RunResult
    } catch {
      throw new UserError('network', `The part that agent ${this.name} sent at the end is damaged.`)
    }
  }
}

const isPiece = (piece: number, pieces: number): boolean =>
  pieces <= piecesMax && piece >= 0 && piece < pieces
