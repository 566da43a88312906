/** The list of connections, made from the ledgers; each has an id that does not change. */
import type { Entry, Ledger } from '../metrics/ledger.ts'
import type { Server } from '../serve.ts'
import type { ConnectionPage, ConnectionQuery, ConnectionRow, SortKey } from './api.ts'
import { rowsStandard } from './contract.ts'

/** A listening server, with details that its handle does not have. */
export interface ListeningServer {
  readonly server: Server
  /** How many are served at the same time; Infinity: no limit. */
  readonly concurrency: number
}

/** A connection that was seen at least once. */
export interface SeenConnection {
  id: string
  listener: number
  ledger: Ledger
  /** As of the last scan; the figures of open connections are read again on each request. */
  entry: Entry
  /** Bytes in and out as of the last scan. */
  moved: number
  /** Bytes in and out per second between the last two scans. */
  bytesPerSecond: number
}

/** A client in the backlog. */
export interface WaitingClient {
  id: string
  listener: number
  peer: string
  since: number
}

export interface ConnectionChanges {
  opened: SeenConnection[]
  ended: SeenConnection[]
  /** Clients that left the backlog unserved. */
  gaveUp: WaitingClient[]
}

/** An engine may learn the client's address late; until then the connection is not shown. */
const unnamedMaxMs = 1_500
/** A client that is in no ledger after this many scans has left while it waited. */
const givenUpScans = 3

export class ConnectionList {
  readonly #listeners: readonly ListeningServer[]
  /** For each ledger the connections in its slots. */
  readonly #tables: { listener: number; ledger: Ledger; slots: (SeenConnection | undefined)[] }[]
  readonly #byId = new Map<string, SeenConnection>()
  /** Listener and peer of the served connections. */
  readonly #served = new Set<string>()
  /** The clients in the backlogs, by listener and peer. */
  readonly #waiting = new Map<string, WaitingClient>()
  /** Clients that have left the backlog, and should appear in a ledger soon. */
  readonly #left = new Map<string, { client: WaitingClient; scans: number }>()
  #nextId = 1
  #scannedAt = Date.now()
  /** Sorted and filtered lists, until the next scan. */
  readonly #lists = new Map<string, List>()

  constructor(listeners: readonly ListeningServer[]) {
    this.#listeners = listeners
    this.#tables = listeners.flatMap(({ server }, listener) =>
      server.ledgers.map(ledger => ({ listener, ledger, slots: [] })),
    )
  }

  /** Reads all slots. Returns what has changed since the last call. */
  scan(now: number): ConnectionChanges {
    this.#lists.clear()
    const changes: ConnectionChanges = { opened: [], ended: [], gaveUp: [] }
    // Two scans in the same instant must not divide by zero.
    const seconds = Math.max(1, now - this.#scannedAt) / 1e3
    this.#scannedAt = now
    for (const { listener, ledger, slots } of this.#tables) {
      const unnamed = this.#listeners[listener]!.server.address.transport === 'unix'
      for (let slot = 0, { used } = ledger; slot < used; slot++) {
        const known = slots[slot]
        const generation = ledger.generation[slot]!
        if (known?.entry.generation === generation) {
          // An ended connection does not change any more.
          if (known.entry.ending !== undefined) continue
          measure(known, seconds)
          const isSettled = known.entry.realPeer !== '' || !ledger.hasRealPeer(slot)
          if (ledger.isOpen(slot) && isSettled) continue
          const entry = ledger.read(slot)
          if (entry?.ending === undefined) {
            known.entry = entry ?? known.entry
            continue
          }
          this.#end(known, entry, changes)
          continue
        }
        // Another connection has the slot: the end of the earlier one was missed.
        if (known && known.entry.ending === undefined)
          this.#end(known, { ...known.entry, ending: 'closed', closedAt: now }, changes)
        const entry = ledger.read(slot)
        if (!entry) continue
        const isNew = now - entry.openedAt < unnamedMaxMs
        if (entry.peer === '' && !unnamed && isNew && entry.ending === undefined) continue
        const seen = this.#begin(listener, ledger, entry, changes)
        measure(seen, seconds)
        slots[slot] = seen
      }
    }
    for (const [key, left] of this.#left) {
      if (++left.scans < givenUpScans) continue
      this.#left.delete(key)
      changes.gaveUp.push(left.client)
    }
    return changes
  }

  #begin(
    listener: number,
    ledger: Ledger,
    entry: Entry,
    changes: ConnectionChanges,
  ): SeenConnection {
    const key = `${listener} ${entry.peer}`
    const waited = this.#waiting.get(key) ?? this.#left.get(key)?.client
    this.#waiting.delete(key)
    this.#left.delete(key)
    const id = waited?.id ?? `${this.#nextId++}`
    const seen = { id, listener, ledger, entry, moved: 0, bytesPerSecond: 0 }
    changes.opened.push(seen)
    if (entry.ending === undefined) {
      this.#byId.set(seen.id, seen)
      this.#served.add(key)
    } else changes.ended.push(seen)
    return seen
  }

  #end(seen: SeenConnection, entry: Entry, changes: ConnectionChanges) {
    seen.entry = entry
    this.#byId.delete(seen.id)
    this.#served.delete(`${seen.listener} ${entry.peer}`)
    changes.ended.push(seen)
  }

  /** Sets the clients in the backlog of a listener; returns the new ones. */
  setWaiting(listener: number, peers: readonly string[], now: number): WaitingClient[] {
    const keys = new Set(peers.map(peer => `${listener} ${peer}`))
    for (const [key, client] of this.#waiting) {
      if (client.listener !== listener || keys.has(key)) continue
      this.#waiting.delete(key)
      this.#left.set(key, { client, scans: 0 })
    }
    const came: WaitingClient[] = []
    for (const peer of peers) {
      const key = `${listener} ${peer}`
      // The kernel's figure may be a second old.
      if (this.#waiting.has(key) || this.#served.has(key)) continue
      const client = { id: `${this.#nextId++}`, listener, peer, since: now }
      this.#waiting.set(key, client)
      came.push(client)
    }
    return came
  }

  /** Kills a connection; false if there is none with this id. */
  kill(id: string): boolean {
    const seen = this.#byId.get(id)
    return seen !== undefined && seen.ledger.askToKill(seen.entry.slot, seen.entry.generation)
  }

  /** Kills all connections that filter and listener match. */
  killAll(query: Pick<ConnectionQuery, 'filter' | 'listener'>): number {
    const { clients } = this.#list(query)
    const ids = clients.flatMap(client => ('ledger' in client ? client.id : []))
    return ids.filter(id => this.kill(id)).length
  }

  page(query: ConnectionQuery): ConnectionPage {
    const { clients, killable } = this.#list(query)
    const { offset = 0, limit = rowsStandard } = query
    const total = this.#byId.size + this.#waiting.size
    const now = Date.now()
    const rows = clients.slice(offset, offset + limit).map(client => this.#row(client, now))
    return { total, matched: clients.length, killable, rows }
  }

  /** Clients that match, sorted. Rows are made only of those on the screen: there may be 10,000. */
  #list({ sort = 'openedAt', order = 'asc', filter = '', listener }: ConnectionQuery): List {
    const key = `${sort} ${order} ${listener} ${filter}`
    const before = this.#lists.get(key)
    if (before) return before
    const text = filter.toLowerCase()
    const isWanted = (client: Client) =>
      (listener === undefined || client.listener === listener) &&
      (text === '' || this.#matches(client, text))
    const wanted: Client[] = []
    for (const seen of this.#byId.values()) if (isOpen(seen) && isWanted(seen)) wanted.push(seen)
    const killable = wanted.length
    for (const client of this.#waiting.values()) if (isWanted(client)) wanted.push(client)
    const clients = sort === 'peer' ? wanted.toSorted(comparePeers) : sortBy(wanted, sort)
    if (order === 'desc') clients.reverse()
    const list = { clients, killable }
    // A client that sends many different queries slows only itself.
    if (this.#lists.size < 32) this.#lists.set(key, list)
    return list
  }

  #matches(client: Client, text: string): boolean {
    const { transport } = this.#listeners[client.listener]!.server.address
    const real = 'ledger' in client ? client.entry.realPeer : ''
    return [peerOf(client), real, transport].some(name => name.toLowerCase().includes(text))
  }

  #row(client: Client, now: number): ConnectionRow {
    const { id, listener } = client
    const { address, engine } = this.#listeners[listener]!.server
    const seen = 'ledger' in client ? client : undefined
    return {
      id,
      listener,
      peer: peerOf(client),
      realPeer: seen?.entry.realPeer || null,
      transport: address.transport,
      engine,
      openedAt: figureOf(client, 'openedAt', now),
      bytesIn: figureOf(client, 'bytesIn', now),
      bytesOut: figureOf(client, 'bytesOut', now),
      bytesPerSecond: figureOf(client, 'bytesPerSecond', now),
      unsentBytes: figureOf(client, 'unsentBytes', now),
      idleMs: figureOf(client, 'idleMs', now),
      waiting: !seen,
    }
  }
}

type Client = SeenConnection | WaitingClient
type SortFigure = Exclude<SortKey, 'peer'>

interface List {
  clients: Client[]
  /** How many of the matching clients are served. */
  killable: number
}

const peerOf = (client: Client): string => ('ledger' in client ? client.entry.peer : client.peer)

const isOpen = ({ ledger, entry: { slot, generation } }: SeenConnection): boolean =>
  ledger.generation[slot] === generation && ledger.isOpen(slot)

function measure(seen: SeenConnection, seconds: number): void {
  const moved = seen.ledger.moved(seen.entry.slot)
  seen.bytesPerSecond = Math.max(0, moved - seen.moved) / seconds
  seen.moved = moved
}

function figureOf(client: Client, figure: SortFigure, now: number): number {
  if (!('ledger' in client)) {
    if (figure === 'openedAt') return client.since
    return figure === 'idleMs' ? now - client.since : 0
  }
  const { ledger, entry } = client
  if (figure === 'openedAt') return entry.openedAt
  if (figure === 'bytesPerSecond') return client.bytesPerSecond
  // Another connection has its slot by now.
  if (ledger.generation[entry.slot] !== entry.generation) return 0
  if (figure === 'idleMs') return Math.max(0, now - ledger.figure(entry.slot, 'movedAt'))
  return ledger.figure(entry.slot, figure === 'unsentBytes' ? 'unsent' : figure)
}

/** Figures change while rows are sorted, so each is read once. */
function sortBy(clients: Client[], figure: SortFigure): Client[] {
  const now = Date.now()
  const figures = Float64Array.from(clients, client => figureOf(client, figure, now))
  const places = Uint32Array.from(figures, (_, place) => place)
  places.sort((a, b) => figures[a]! - figures[b]! || a - b)
  return Array.from(places, place => clients[place]!)
}

/**
 * Compares code units: a comparison by language would cost ten times as much, for no benefit here.
 */
const comparePeers = (a: Client, b: Client): number => {
  const [first, second] = [peerOf(a), peerOf(b)]
  return first < second ? -1 : first > second ? 1 : 0
}
