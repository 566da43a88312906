/** What the page knows of the server. Only live.ts and the answers to clicks change it. */
import { computed, signal } from '@preact/signals'
import type {
  BenchRun,
  Lane,
  LaneActivity,
  ListenerFaults,
  Second,
  ServerInfo,
} from '../src/dashboard/api.ts'

/** How much is kept: as much as the server keeps. */
export const historyMs = 900_000

/** connecting: no answer yet; lost: it was connected before; refused: it needs its token. */
export type LinkState = 'connecting' | 'live' | 'lost' | 'refused'

export const link = signal<LinkState>('connecting')
/** Whether something can be changed. */
export const isLive = computed(() => link.value === 'live')
export const server = signal<ServerInfo | null>(null)
/** Oldest first. */
export const seconds = signal<readonly Second[]>([])
/** By id, in the order in which they began. */
export const lanes = signal<ReadonlyMap<string, Lane>>(new Map())
export const faults = signal<readonly ListenerFaults[]>([])
/** Newest first. */
export const benches = signal<readonly BenchRun[]>([])

/** The page's own connections, as the listener names them; null where that is not known. */
export const own = {
  probe: signal<string | null>(null),
  console: signal<string | null>(null),
}
/** Which of them a client is; null: another's. */
export const ownName = ({ peer }: { peer: string }): 'probe' | 'console' | null =>
  peer === ''
    ? null
    : peer === own.probe.value
      ? 'probe'
      : peer === own.console.value
        ? 'console'
        : null

/** The clocks of the server and of this machine may differ: how far the server's is ahead. */
let aheadMs = 0
/** The server's clock. */
export const serverNow = (): number => Date.now() + aheadMs

/** @param all that are known: they replace what there was */
export function setSeconds(all: Second[]): void {
  seconds.value = all
}

export function addSecond(second: Second): void {
  aheadMs = second.at - Date.now()
  const last = seconds.peek().at(-1)
  if (last && last.at >= second.at) return
  const oldest = second.at - historyMs
  seconds.value = [...seconds.peek().filter(({ at }) => at > oldest), second]
}

/** As many as the server keeps. */
export const mostLanes = 500

export function setLanes(all: Lane[]): void {
  lanes.value = new Map(all.map(lane => [lane.id, lane]))
}

export function changeLanes(changed: Lane[]): void {
  const next = new Map(lanes.peek())
  for (const lane of changed) {
    const activity = next.get(lane.id)?.activity ?? []
    next.set(lane.id, { ...lane, activity })
    for (const [second, bytes] of lane.activity) addTo(activity, second, bytes)
  }
  const surplus = next.size - mostLanes
  if (surplus > 0) for (const id of [...next.keys()].slice(0, surplus)) next.delete(id)
  lanes.value = next
}

/** The lanes themselves are changed: to copy them every second would be work for nothing. */
export function addActivity(added: LaneActivity[]): void {
  for (const [id, second, bytes] of added) {
    const activity = lanes.peek().get(id)?.activity
    if (activity) addTo(activity, second, bytes)
  }
  lanes.value = new Map(lanes.peek())
}

function addTo(activity: Lane['activity'], second: number, bytes: number): void {
  const last = activity.at(-1)
  if (last?.[0] === second) last[1] += bytes
  else activity.push([second, bytes])
  if (activity.length > historyMs / 1e3) activity.shift()
}

export function changeBench(run: BenchRun): void {
  const others = benches.peek().filter(({ id }) => id !== run.id)
  benches.value = [...others, run].toSorted((a, b) => b.startedAt - a.startedAt)
}

export const listenerOf = (index: number) =>
  server.value?.listeners.find(listener => listener.index === index)
