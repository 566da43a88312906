/**
 * Writes the ledger of the connections: the threads report their clients, the pool has the list.
 */
import type { Worker } from 'node:worker_threads'
import { counter } from '../../metrics/meter.ts'
import { Ledger, LedgerWriter } from '../../metrics/ledger.ts'
import type { ClientBegins, ClientEnds } from './client-thread.ts'

/** As in the node engine: the figures are read this long after the second has begun. */
const updateAtMs = 750

interface Client extends ClientBegins {
  slot: number
}

/** What the pool shares with a thread. */
export interface ThreadMemory {
  /** The thread's own counters, of all its clients so far. */
  counters: Float64Array
  /** One word: the number of the client to cut off, counted from 1. */
  kill: Int32Array
}

export class ClientLedger {
  readonly #writer: LedgerWriter
  readonly #clients = new Map<Worker, Client>()
  #nextUpdate = 0

  constructor(memory: SharedArrayBuffer) {
    this.#writer = new LedgerWriter(new Ledger(memory))
  }

  opened(thread: Worker, client: ClientBegins): void {
    const slot = this.#writer.open(client.peer, client.openedAt)
    this.#clients.set(thread, { ...client, slot })
  }

  closed(thread: Worker, { ending, closedAt, bytesIn, bytesOut }: ClientEnds): void {
    const client = this.#clients.get(thread)
    if (!client) return
    this.#clients.delete(thread)
    this.#update(client, bytesIn, bytesOut, closedAt)
    this.#writer.close(client.slot, client.openedAt, closedAt, ending)
  }

  /** To be called every few hundredths of a second. */
  onTick(threads: ReadonlyMap<Worker, ThreadMemory>): void {
    if (this.#writer.killsWanted) this.#kill(threads)
    const now = Date.now()
    if (now < this.#nextUpdate) return
    this.#nextUpdate = now - ((now - updateAtMs) % 1000) + 1000
    for (const [thread, client] of this.#clients) {
      const { counters } = threads.get(thread)!
      this.#update(client, counters[counter.bytesIn]!, counters[counter.bytesOut]!, now)
    }
  }

  /** @param bytesIn as `bytesOut`: the bytes of all clients of the thread so far */
  #update({ slot, inBefore, outBefore }: Client, bytesIn: number, bytesOut: number, now: number) {
    if (slot === -1) return
    const [received, sent] = [bytesIn - inBefore, bytesOut - outBefore]
    this.#writer.update(slot, received, sent, Math.max(0, received - sent), now)
  }

  #kill(threads: ReadonlyMap<Worker, ThreadMemory>) {
    const wanted = new Set(this.#writer.takeKills())
    for (const [thread, { slot, number }] of this.#clients)
      if (wanted.has(slot)) Atomics.store(threads.get(thread)!.kill, 0, number)
  }
}
