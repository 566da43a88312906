/** Writes the ledger of the connections. Exists only if the ledger is on. */
import type { Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Ledger, LedgerWriter, type Ending } from '../../../metrics/ledger.ts'
import { peerText } from '../../../vocabulary/text.ts'
import { failureName } from '../../failures.ts'
import { writtenTo } from '../../written.ts'
import type { Forwarded } from '../../../wire/proxy-header.ts'

/** How often to check whether a reader has asked to close a connection. */
const killCheckMs = 100
/**
 * The figures of all connections are read once a second, this long after it has begun: readers look
 * at the end of the second, and a busy thread may be late.
 */
const updateAtMs = 750
const delayResolutionMs = 20

interface Client {
  slot: number
  openedAt: number
  ending: Ending
  /** The bytes received by the last update, if all had been echoed; -1 otherwise. */
  echoed: number
}

/** For each accepted socket, a function that takes the client which a PROXY header names. */
const namings = new WeakMap<Socket, (forwarded: Forwarded) => void>()
/** To be called before the connection can end. */
export const noteForwarded = (raw: Socket, forwarded: Forwarded): void =>
  namings.get(raw)?.(forwarded)

export class ClientLedger {
  readonly #writer: LedgerWriter
  readonly #clients = new Map<Socket, Client>()
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs })
  readonly #kills: NodeJS.Timeout
  #timer: NodeJS.Timeout | undefined

  constructor(memory: SharedArrayBuffer) {
    this.#writer = new LedgerWriter(new Ledger(memory))
    this.#delay.enable()
    this.#kills = setInterval(() => this.#closeKilled(), killCheckMs)
    this.#updateLater()
  }

  opened(socket: Socket): void {
    const openedAt = Date.now()
    const peer = peerText(socket.remoteAddress, socket.remotePort)
    const slot = this.#writer.open(peer, openedAt)
    const client: Client = { slot, openedAt, ending: 'closed', echoed: 0 }
    this.#clients.set(socket, client)
    if (slot !== -1)
      namings.set(socket, ({ source, sourcePort }) =>
        this.#writer.name(slot, peer, peerText(source, sourcePort)),
      )
    socket.on('error', error => (client.ending = failureName(error)))
  }

  /** The server is about to close the connection, for this reason. */
  closing(socket: Socket, ending: Ending): void {
    const client = this.#clients.get(socket)
    if (client) client.ending = ending
  }

  closed(socket: Socket): void {
    const client = this.#clients.get(socket)
    if (!client) return
    this.#clients.delete(socket)
    const now = Date.now()
    this.#update(socket, client, now)
    this.#writer.close(client.slot, client.openedAt, now, client.ending)
  }

  #update(socket: Socket, client: Client, now: number) {
    const { slot } = client
    const { bytesRead, writableLength: unsent } = socket
    if (slot === -1 || (unsent === 0 && bytesRead === client.echoed)) return
    // What Node counts as written may still be in the process. To find out costs as much as all the
    // rest.
    const written = writtenTo(socket) - unsent
    client.echoed = unsent === 0 && written === bytesRead ? bytesRead : -1
    this.#writer.update(slot, bytesRead, written, unsent, now)
  }

  #closeKilled() {
    if (!this.#writer.killsWanted) return
    const slots = new Set(this.#writer.takeKills())
    for (const [socket, client] of this.#clients) {
      if (!slots.has(client.slot)) continue
      client.ending = 'killed'
      socket.destroy()
    }
  }

  #updateLater() {
    const phase = Date.now() % 1000
    const waitMs = phase < updateAtMs ? updateAtMs - phase : 1000 + updateAtMs - phase
    this.#timer = setTimeout(() => {
      const now = Date.now()
      for (const [socket, client] of this.#clients) this.#update(socket, client, now)
      this.#noteDelay()
      this.#updateLater()
    }, waitMs)
  }

  #noteDelay() {
    const delay = this.#delay
    // The monitor records the whole interval of its timer, so the interval is subtracted.
    const ms = (ns: number) => Math.max(0, ns / 1e6 - delayResolutionMs)
    this.#writer.setLoopDelay(ms(delay.percentile(50)), ms(delay.percentile(99)), ms(delay.max))
    delay.reset()
  }

  stop(): void {
    clearInterval(this.#kills)
    clearTimeout(this.#timer)
    this.#delay.disable()
  }
}
