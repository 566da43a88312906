/** Who is connected: what the ledgers say, with names that stay the same from look to look. */
import type { Entry, Ledger } from '../metrics/ledger.ts'
import type { Server } from '../serve.ts'
import type { ConnectionPage, ConnectionQuery, ConnectionRow } from './api.ts'

/** A listening server, and what its handle does not tell. */
export interface Listener {
  readonly server: Server
  /** How many are served at the same time; Infinity: no limit. */
  readonly concurrency: number
}

/** A connection that was seen at least once. */
export interface Seen {
  id: string
  listener: number
  ledger: Ledger
  /** As of the last look; figures of open connections are read anew when they are wanted. */
  entry: Entry
}

/** A client in the backlog. */
export interface WaitingClient {
  id: string
  listener: number
  peer: string
  since: number
}

export interface Changes {
  opened: Seen[]
  ended: Seen[]
  /** Clients that left the backlog unserved. */
  gaveUp: WaitingClient[]
}

/** An engine may learn later who it serves; so long it is not shown. */
const unnamedMaxMs = 1_500
/** Who is in no ledger after so many looks has hung up while he waited. */
const givenUpLooks = 3

export class Connections {
  readonly #listeners: readonly Listener[]
  /** For each ledger what is in its slots. */
  readonly #tables: { listener: number; ledger: Ledger; slots: (Seen | undefined)[] }[]
  readonly #byId = new Map<string, Seen>()
  /** Listener and peer of those that are served. */
  readonly #served = new Set<string>()
  /** By listener and peer. */
  readonly #waiting = new Map<string, WaitingClient>()
  /** Those that are in the backlog no more, and should soon be found in a ledger. */
  readonly #left = new Map<string, { client: WaitingClient; looks: number }>()
  #nextId = 1
  /** Sorted and filtered lists, until the next look. */
  readonly #lists = new Map<string, ConnectionRow[]>()

  constructor(listeners: readonly Listener[]) {
    this.#listeners = listeners
    this.#tables = listeners.flatMap(({ server }, listener) =>
      server.ledgers.map(ledger => ({ listener, ledger, slots: [] })),
    )
  }

  /** Looks through all slots; what has changed since the last time. */
  look(now: number): Changes {
    this.#lists.clear()
    const changes: Changes = { opened: [], ended: [], gaveUp: [] }
    for (const { listener, ledger, slots } of this.#tables) {
      const unnamed = this.#listeners[listener]!.server.address.transport === 'unix'
      for (let slot = 0, { used } = ledger; slot < used; slot++) {
        const known = slots[slot]
        const generation = ledger.generation[slot]!
        if (known?.entry.generation === generation) {
          // The ending of what is over does not change any more.
          if (known.entry.ending !== undefined) continue
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
        // Somebody else has the slot: how the one before ended was not seen.
        if (known && known.entry.ending === undefined)
          this.#end(known, { ...known.entry, ending: 'closed', closedAt: now }, changes)
        const entry = ledger.read(slot)
        if (!entry) continue
        const isNew = now - entry.openedAt < unnamedMaxMs
        if (entry.peer === '' && !unnamed && isNew && entry.ending === undefined) continue
        slots[slot] = this.#begin(listener, ledger, entry, changes)
      }
    }
    for (const [key, left] of this.#left) {
      if (++left.looks < givenUpLooks) continue
      this.#left.delete(key)
      changes.gaveUp.push(left.client)
    }
    return changes
  }

  #begin(listener: number, ledger: Ledger, entry: Entry, changes: Changes): Seen {
    const key = `${listener} ${entry.peer}`
    const waited = this.#waiting.get(key) ?? this.#left.get(key)?.client
    this.#waiting.delete(key)
    this.#left.delete(key)
    const seen = { id: waited?.id ?? `${this.#nextId++}`, listener, ledger, entry }
    changes.opened.push(seen)
    if (entry.ending === undefined) {
      this.#byId.set(seen.id, seen)
      this.#served.add(key)
    } else changes.ended.push(seen)
    return seen
  }

  #end(seen: Seen, entry: Entry, changes: Changes) {
    seen.entry = entry
    this.#byId.delete(seen.id)
    this.#served.delete(`${seen.listener} ${entry.peer}`)
    changes.ended.push(seen)
  }

  /** Who was found in the backlog of a listener; returns those who are new there. */
  setWaiting(listener: number, peers: readonly string[], now: number): WaitingClient[] {
    const keys = new Set(peers.map(peer => `${listener} ${peer}`))
    for (const [key, client] of this.#waiting) {
      if (client.listener !== listener || keys.has(key)) continue
      this.#waiting.delete(key)
      this.#left.set(key, { client, looks: 0 })
    }
    const came: WaitingClient[] = []
    for (const peer of peers) {
      const key = `${listener} ${peer}`
      // What the kernel said may be a second old.
      if (this.#waiting.has(key) || this.#served.has(key)) continue
      const client = { id: `${this.#nextId++}`, listener, peer, since: now }
      this.#waiting.set(key, client)
      came.push(client)
    }
    return came
  }

  /** Asks for the end of one; false if there is none of that name. */
  kill(id: string): boolean {
    const seen = this.#byId.get(id)
    return seen !== undefined && seen.ledger.askToKill(seen.entry.slot, seen.entry.generation)
  }

  /** Asks for the end of all that the filter matches. */
  killAll(filter: string): number {
    const wanted = this.#list({ filter }).filter(({ waiting }) => !waiting)
    return wanted.filter(({ id }) => this.kill(id)).length
  }

  page(query: ConnectionQuery): ConnectionPage {
    const matched = this.#list(query)
    const { offset = 0, limit = 100 } = query
    const total = this.#byId.size + this.#waiting.size
    return { total, matched: matched.length, rows: matched.slice(offset, offset + limit) }
  }

  #list({ sort = 'openedAt', order = 'asc', filter = '' }: ConnectionQuery): ConnectionRow[] {
    const key = `${sort} ${order} ${filter}`
    const before = this.#lists.get(key)
    if (before) return before
    const all = this.#lists.get('') ?? this.#rows(Date.now())
    this.#lists.set('', all)
    const text = filter.toLowerCase()
    const matched = text === '' ? [...all] : all.filter(row => matches(row, text))
    const sign = order === 'desc' ? -1 : 1
    if (sort === 'peer') matched.sort((a, b) => sign * comparePeers(a.peer, b.peer))
    else matched.sort((a, b) => sign * (a[sort] - b[sort]))
    // Whoever asks for many different things pays for them himself.
    if (this.#lists.size < 32) this.#lists.set(key, matched)
    return matched
  }

  #rows(now: number): ConnectionRow[] {
    const rows: ConnectionRow[] = []
    for (const seen of this.#byId.values()) {
      const { ledger, entry } = seen
      const { slot } = entry
      if (ledger.generation[slot] === entry.generation && ledger.isOpen(slot))
        rows.push(this.#row(seen, now))
    }
    for (const { id, listener, peer, since } of this.#waiting.values()) {
      const { server } = this.#listeners[listener]!
      const about = { id, listener, peer, realPeer: null, openedAt: since, waiting: true }
      const nothing = { bytesIn: 0, bytesOut: 0, unsentBytes: 0, idleMs: now - since }
      const { transport } = server.address
      rows.push({ ...about, ...nothing, transport, engine: server.engine })
    }
    return rows
  }

  /** Ten thousand of them a second: no spreading, no texts. */
  #row({ id, listener, ledger, entry }: Seen, now: number): ConnectionRow {
    const { server } = this.#listeners[listener]!
    const { slot } = entry
    return {
      id,
      listener,
      peer: entry.peer,
      realPeer: entry.realPeer || null,
      transport: server.address.transport,
      engine: server.engine,
      openedAt: entry.openedAt,
      bytesIn: ledger.figure(slot, 'bytesIn'),
      bytesOut: ledger.figure(slot, 'bytesOut'),
      unsentBytes: ledger.figure(slot, 'unsent'),
      idleMs: Math.max(0, now - ledger.figure(slot, 'movedAt')),
      waiting: false,
    }
  }
}

const matches = (row: ConnectionRow, text: string): boolean =>
  row.peer.toLowerCase().includes(text) ||
  (row.realPeer?.toLowerCase().includes(text) ?? false) ||
  row.transport.includes(text)

/** By code units: the order of languages would cost ten times as much, and means nothing here. */
const comparePeers = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
