/** An agent in a run, as its coordinator sees it. */
import { gunzipSync } from 'node:zlib'
import { UserError } from '../vocabulary/errors.ts'
import { readSnapshot } from '../metrics/saved.ts'
import type { RunResult } from '../report/result.ts'
import { nowMs } from './clock.ts'
import { deferred } from './deferred.ts'
import type { PartPiece, Synced } from './messages.ts'
import { changesSince, unpack, type Changes } from './packed.ts'
import type { Present } from './roster.ts'
import type { Opened } from './sealed.ts'
import { Counted, type Totals } from './totals.ts'

/** It was lost; both in milliseconds after the start. */
export interface Loss {
  afterMs: number
  /** When its last counts were made. */
  lastMs: number
  what: string
  /** It says so itself, and will not come back. */
  failed: boolean
  /** The broker says that its connection is broken. */
  isGone: boolean
}

/** What the member found out. */
export interface Delivered {
  result: RunResult
  startedMs: number
  left: string | null
}

/** A part of a load is never as long. */
const partMaxBytes = 1 << 30
const piecesMax = 1 << 14

export class Member {
  readonly present: Present
  readonly number: number
  readonly accepted = deferred<'accepted' | 'busy'>()
  readonly ready = deferred<void>()
  readonly synced = deferred<Synced>()
  readonly counted: Counted
  /** Snapshots that wait until those of the others have come, too. */
  readonly #pending = new Map<number, Changes>()
  /** The last one that came, and the last that is counted. */
  tick = -1
  #counted = -1
  /** How many messages had come back after each second that was counted. */
  readonly received: { tick: number; count: number; sent: number }[] = []
  heardMs = nowMs()
  loss: Loss | undefined
  /** It was lost for a while. */
  returned: Loss | undefined
  delivered: Delivered | undefined
  clock: Synced | undefined
  /** Everything that the member counted, from when its part has come until it is added. */
  #total: Changes | undefined
  readonly #pieces = new Map<number, Buffer>()

  constructor(present: Present, number: number, totals: Totals) {
    this.present = present
    this.number = number
    this.counted = new Counted(totals)
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

  /** @returns whether it is new and could be read */
  snapshot(tick: number, bytes: Buffer): boolean {
    if (!Number.isInteger(tick) || tick <= this.#counted || this.#pending.has(tick)) return false
    try {
      this.#pending.set(tick, unpack(bytes))
    } catch (error) {
      if (error instanceof RangeError) return false
      throw error
    }
    this.tick = Math.max(this.tick, tick)
    return true
  }

  /** Counts what has come up to that second. */
  countUpTo(tick: number): void {
    const due = [...this.#pending.keys()].filter(each => each <= tick).toSorted((a, b) => a - b)
    for (const each of due) {
      this.counted.take(this.#pending.get(each)!)
      this.#pending.delete(each)
      this.#counted = each
      const [received, sent] = this.counted.messages
      this.received.push({ tick: each, count: received, sent })
    }
    if (this.delivered && tick > this.tick) this.countAll()
  }

  /** Counts everything that the part of the member has. */
  countAll(): void {
    if (this.#total) this.counted.take(this.#total)
    this.#total = undefined
  }

  #finish(delivered: Delivered): void {
    const { part } = delivered.result
    if (!part) throw new RangeError('no part')
    this.#total = changesSince(undefined, readSnapshot(part.total))
    this.delivered = delivered
  }

  /** @returns whether all of it has come. @throws UserError if it is no part */
  piece({ words, bytes }: Opened<PartPiece>): boolean {
    const { piece, pieces, startedMs, left } = words
    if (!(pieces <= piecesMax) || !(piece >= 0 && piece < pieces) || this.delivered) return false
    this.#pieces.set(piece, bytes)
    if (this.#pieces.size < pieces) return false
    const all = Array.from({ length: pieces }, (_, n) => this.#pieces.get(n)!)
    this.#pieces.clear()
    try {
      const text = gunzipSync(Buffer.concat(all), { maxOutputLength: partMaxBytes }).toString()
      this.#finish({ result: JSON.parse(text) as RunResult, startedMs, left })
    } catch {
      throw new UserError('network', `What agent ${this.name} has sent at its end is damaged.`)
    }
    return true
  }
}
