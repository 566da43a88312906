/**
 * The place in the queue of a client that the dashboard itself opened, at a listener that is full.
 * The system's queue is first come, first served: the place is one behind those that waited
 * already, and comes nearer with each client that is accepted.
 */
import type { Counts } from '../metrics/snapshot.ts'
import type { Place } from './api.ts'
import type { ListeningServer } from './connection-list.ts'

/** Where the client waits now; null if it does not wait. */
export type PlaceNow = () => Place | null

/** Whether further clients wait. Each thread has its share, and one may be full before others. */
export const isFull = ({ server, concurrency }: ListeningServer, { open }: Counts): boolean =>
  open >= concurrency / Math.max(1, server.ledgers.length)

/** What was known before the client connected, and how many wait now; null: not known. */
interface Queue {
  before: Counts
  ahead: number | null
  waiting: () => number | null
}

/** The place at a listener that was at its limit before the client connected. */
export function queueUp(listener: ListeningServer, { before, ahead, waiting }: Queue): PlaceNow {
  const { server } = listener
  // Several threads have a queue each, and which one the client is in is not known.
  const isOneQueue = server.ledgers.length <= 1
  return () => {
    const now = server.counts()
    if (!isFull(listener, now)) return null
    const of = waiting()
    if (ahead === null || !isOneQueue) return of === 0 ? null : { place: null, of }
    const place = ahead + 1 - (now.opened - before.opened)
    return place < 1 ? null : { place, of: Math.max(place, of ?? 0) }
  }
}
