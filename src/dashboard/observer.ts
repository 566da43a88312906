/** Reads the servers' counters once a second, and calls its subscribers. */
import { failureNames, type CounterName } from '../metrics/meter.ts'
import type { Counts } from '../metrics/snapshot.ts'
import type { Lane, LaneActivity, Second } from './api.ts'
import { Backlog } from './backlog.ts'
import { Connections, type Changes, type ListeningServer } from './connections.ts'
import { Timeline } from './timeline.ts'

/** A quarter of an hour. */
const historySeconds = 900

export interface Observation {
  second: Second
  /** Lanes of the timeline (one for each client) whose client came, was admitted, or left. */
  lanes: Lane[]
  activity: LaneActivity[]
  changes: Changes
  /** For each listener: what each counter has grown by. */
  grown: Record<CounterName, number>[]
}

export class Observer {
  readonly listeners: readonly ListeningServer[]
  readonly connections: Connections
  readonly #timeline = new Timeline()
  readonly #history: Second[] = []
  /** For each listener: clients in the backlog, null where that is not known. */
  #waiting: (number | null)[]
  #counts: Counts[]
  readonly #listening = new Set<(observation: Observation) => void>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** For each listener; empty if no subscriber wants it. */
  readonly #backlogs: Backlog[]

  /** @param seesBacklog whether to find clients in the backlog, too, which costs more */
  constructor(listeners: readonly ListeningServer[], { seesBacklog = true } = {}) {
    this.listeners = listeners
    this.#backlogs = seesBacklog ? listeners.map(({ server }) => new Backlog(server.address)) : []
    this.connections = new Connections(listeners)
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
    const second = this.#second(at, before)
    this.#history.push(second)
    if (this.#history.length > historySeconds) this.#history.shift()
    const grown = this.#counts.map((now, index) => difference(before[index]!, now))
    const observation = { second, lanes, activity, changes, grown }
    for (const listen of this.#listening) listen(observation)
  }

  #second(at: number, before: readonly Counts[]): Second {
    const now = this.#counts
    const grown = (name: CounterName) =>
      now.reduce((sum, counts, index) => sum + counts[name] - before[index]![name], 0)
    const waiting = this.listeners.map((_, index) => this.waitingFor(index))
    return {
      at,
      open: now.reduce((sum, { open }) => sum + open, 0),
      waiting: waiting.includes(null) ? null : waiting.reduce<number>((sum, n) => sum + n!, 0),
      opened: grown('opened'),
      closed: grown('closed'),
      echoes: grown('chunks'),
      bytesIn: grown('bytesIn'),
      bytesOut: grown('bytesOut'),
      errors: failureNames.reduce((sum, name) => sum + grown(name), 0),
      faultsInjected: grown('faultsInjected'),
    }
  }

  /** Reads only the backlogs of listeners at their limit: at the others no client waits. */
  async #readBacklogs() {
    for (const [index, backlog] of this.#backlogs.entries()) {
      const { server, concurrency } = this.listeners[index]!
      // Each thread has its share of the clients, and one may be full before the others.
      const share = concurrency / Math.max(1, server.ledgers.length)
      const full = this.#counts[index]!.open >= share
      const { count, peers } = full ? await backlog.read() : noneWaiting
      this.#waiting[index] = count
      const came = this.connections.setWaiting(index, peers, Date.now())
      for (const client of came) this.#timeline.waits(client)
    }
  }
}

const noneWaiting = { count: 0, peers: [] as string[] }

const difference = (before: Counts, now: Counts) =>
  Object.fromEntries(
    Object.entries(now).flatMap(([name, value]) =>
      typeof value === 'number' ? [[name, value - (before[name as CounterName] ?? 0)]] : [],
    ),
  ) as Record<CounterName, number>
