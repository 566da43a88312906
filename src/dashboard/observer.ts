/** Reads the servers' counters once a second, and calls its subscribers. */
import { failureNames, type CounterName } from '../metrics/meter.ts'
import type { Counts } from '../metrics/snapshot.ts'
import type { Figures, Lane, LaneActivity, Second } from './api.ts'
import { Backlog, type Waiting } from './backlog.ts'
import { ConnectionList, type ConnectionChanges, type ListeningServer } from './connection-list.ts'
import { isFull, queueUp, type PlaceNow } from './queue.ts'
import { Timeline } from './timeline.ts'

/** A quarter of an hour. */
const historySeconds = 900

export interface Observation {
  second: Second
  /** Lanes of the timeline (one for each client) whose client came, was admitted, or left. */
  lanes: Lane[]
  activity: LaneActivity[]
  changes: ConnectionChanges
  /** For each listener: what each counter has grown by. */
  grown: Record<CounterName, number>[]
}

export class Observer {
  readonly listeners: readonly ListeningServer[]
  readonly connections: ConnectionList
  readonly #timeline = new Timeline()
  readonly #history: Second[] = []
  /** For each listener: clients in the backlog, null where that is not known. */
  #waiting: (number | null)[]
  #counts: Counts[]
  readonly #listening = new Set<(observation: Observation) => void>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** The backlog of each listener; empty if no subscriber wants them. */
  readonly #backlogs: Backlog[]

  /** @param seesBacklog whether to find clients in the backlog, too, which costs more */
  constructor(listeners: readonly ListeningServer[], { seesBacklog = true } = {}) {
    this.listeners = listeners
    this.#backlogs = seesBacklog ? listeners.map(({ server }) => new Backlog(server.address)) : []
    this.connections = new ConnectionList(listeners)
    this.#waiting = listeners.map(() => 0)
    this.#counts = listeners.map(({ server }) => server.counts())
  }

  get history(): readonly Second[] {
    return this.#history
  }

  get lanes(): Lane[] {
    return this.#timeline.lanes
  }

  /** Clients that wait for a listener, in the program and in the backlog. */
  waitingFor(listener: number): number | null {
    const inBacklog = this.#waiting[listener]
    return inBacklog == null ? null : inBacklog + this.#counts[listener]!.waiting
  }

  onObservation(listen: (observation: Observation) => void): () => void {
    this.#listening.add(listen)
    return () => this.#listening.delete(listen)
  }

  start(): void {
    if (this.#stopped) return
    // At full seconds: the serving threads update their ledgers a moment before (see
    // client-ledger.ts).
    this.#timer = setTimeout(() => void this.#tick(), 1000 - (Date.now() % 1000))
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #tick() {
    await this.observe()
    this.start()
  }

  /** Reads what has happened since the last time. */
  async observe(): Promise<void> {
    const before = this.#counts
    this.#counts = this.listeners.map(({ server }) => server.counts())
    await this.#readBacklogs()
    const at = Date.now()
    const changes = this.connections.scan(at)
    const { lanes, activity } = this.#timeline.update(changes, at)
    const grown = this.#counts.map((now, index) => difference(before[index]!, now))
    const second = this.#second(at, grown)
    this.#history.push(second)
    if (this.#history.length > historySeconds) this.#history.shift()
    const observation = { second, lanes, activity, changes, grown }
    for (const listen of this.#listening) listen(observation)
  }

  #second(at: number, grown: readonly Record<CounterName, number>[]): Second {
    const listeners = this.#counts.map(({ open }, index): Figures => {
      const { opened, closed, chunks, bytesIn, bytesOut, faultsInjected } = grown[index]!
      const errors = failureNames.reduce((sum, name) => sum + grown[index]![name], 0)
      const waiting = this.waitingFor(index)
      const moved = { opened, closed, echoes: chunks, bytesIn, bytesOut }
      return { open, waiting, ...moved, errors, faultsInjected }
    })
    return { at, ...listeners.reduce(sum), listeners }
  }

  /** Reads only the backlogs of listeners at their limit: no client waits for the others. */
  async #readBacklogs() {
    for (const [index, backlog] of this.#backlogs.entries()) {
      const full = isFull(this.listeners[index]!, this.#counts[index]!)
      this.#setWaiting(index, full ? await backlog.read() : noneWaiting)
    }
  }

  #setWaiting(listener: number, { count, peers, withoutPeers }: Waiting) {
    this.#waiting[listener] = count
    // Clients that an earlier reading has found may have been served since, and may have left.
    if (withoutPeers) return
    const came = this.connections.setWaiting(listener, peers, Date.now())
    for (const client of came) this.#timeline.waits(client)
  }

  /** To be called before a client of the dashboard connects to a listener. */
  async queueAt(index: number): Promise<PlaceNow> {
    const listener = this.listeners[index]!
    const before = listener.server.counts()
    if (!isFull(listener, before)) return () => null
    // The figure of the last second may be too old, and the place depends on it.
    const backlog = await this.#backlogs[index]?.read()
    const ahead = backlog?.count == null ? null : backlog.count + before.waiting
    return queueUp(listener, { before, ahead, waiting: () => this.waitingFor(index) })
  }
}

const noneWaiting: Waiting = { count: 0, peers: [] }

const sum = (a: Figures, b: Figures): Figures => ({
  open: a.open + b.open,
  waiting: a.waiting === null || b.waiting === null ? null : a.waiting + b.waiting,
  opened: a.opened + b.opened,
  closed: a.closed + b.closed,
  echoes: a.echoes + b.echoes,
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut,
  errors: a.errors + b.errors,
  faultsInjected: a.faultsInjected + b.faultsInjected,
})

const difference = (before: Counts, now: Counts) =>
  Object.fromEntries(
    Object.entries(now).flatMap(([name, value]) =>
      typeof value === 'number' ? [[name, value - (before[name as CounterName] ?? 0)]] : [],
    ),
  ) as Record<CounterName, number>
