/** The lives of the newest clients: when they waited, when they were served, when bytes moved. */
import type { Lane, LaneActivity } from './api.ts'
import type { ConnectionChanges, SeenConnection, WaitingClient } from './connection-list.ts'

const lanesMax = 500
const historyMs = 900_000

interface Kept {
  lane: Lane
  /** The connection, while the client is served. */
  seen: SeenConnection | undefined
  /** Bytes so far. */
  moved: number
}

export class Timeline {
  /** By id, oldest first. */
  readonly #kept = new Map<string, Kept>()
  /** Lanes that have changed since the last update, apart from their activity. */
  readonly #changed = new Set<Lane>()

  get lanes(): Lane[] {
    return Array.from(this.#kept.values(), ({ lane }) => lane)
  }

  waits({ id, listener, peer, since }: WaitingClient): void {
    const times = { waitingFrom: since, servedFrom: null, until: null }
    this.#add({ id, listener, peer, ...times, activity: [] }, undefined)
  }

  #add(lane: Lane, seen: SeenConnection | undefined) {
    if (this.#kept.size >= lanesMax) {
      const [oldest] = this.#kept.keys()
      this.#kept.delete(oldest!)
    }
    this.#kept.set(lane.id, { lane, seen, moved: 0 })
    this.#changed.add(lane)
  }

  /**
   * Records what happened since the last update. Returns the lanes of clients that came, were
   * admitted or left, each with its activity since then, and the activity of the other lanes.
   */
  update({ opened, ended, gaveUp }: ConnectionChanges, now: number) {
    // More new lanes than are kept: the oldest of them would be dropped at once.
    for (const seen of opened.slice(-lanesMax)) this.#serve(seen)
    for (const { id, entry } of ended) this.#end(id, entry.closedAt)
    for (const { id } of gaveUp) this.#end(id, now)
    const activity: LaneActivity[] = []
    const moves = new Map<Lane, Lane['activity']>()
    for (const [id, kept] of this.#kept) {
      const { lane, seen } = kept
      if (lane.until !== null && lane.until < now - historyMs) this.#kept.delete(id)
      if (!seen) continue
      const moved =
        seen.entry.ending === undefined
          ? seen.ledger.moved(seen.entry.slot)
          : seen.entry.bytesIn + seen.entry.bytesOut
      const bytes = moved - kept.moved
      kept.moved = moved
      if (lane.until !== null) kept.seen = undefined
      if (bytes <= 0) continue
      // An update comes at the end of the second that it describes.
      const end = lane.until ?? now
      const second = Math.max(0, Math.ceil((end - lane.servedFrom!) / 1e3) - 1)
      record(lane, second, bytes)
      if (this.#changed.has(lane)) moves.set(lane, [[second, bytes]])
      else activity.push([id, second, bytes])
    }
    const changed = [...this.#changed].slice(-lanesMax)
    const lanes = changed.map(lane => ({ ...lane, activity: moves.get(lane) ?? [] }))
    this.#changed.clear()
    return { lanes, activity }
  }

  #serve(seen: SeenConnection) {
    const { id, listener, entry } = seen
    const kept = this.#kept.get(id)
    if (kept) {
      kept.lane.servedFrom = entry.openedAt
      kept.seen = seen
      this.#changed.add(kept.lane)
      return
    }
    const times = { waitingFrom: null, servedFrom: entry.openedAt, until: null }
    this.#add({ id, listener, peer: entry.peer, ...times, activity: [] }, seen)
  }

  #end(id: string, at: number) {
    const lane = this.#kept.get(id)?.lane
    if (!lane) return
    lane.until = at
    this.#changed.add(lane)
  }
}

function record({ activity }: Lane, second: number, bytes: number) {
  const last = activity.at(-1)
  if (last?.[0] === second) last[1] += bytes
  else activity.push([second, bytes])
  if (activity[0]![0] <= second - historyMs / 1e3) activity.shift()
}
