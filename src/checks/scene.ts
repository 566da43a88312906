/** What a question works with: connections within its bounds, and what is known so far. */
import type { Duplex } from 'node:stream'
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { transports } from '../vocabulary/transport.ts'
import { askTrace, dial, trace, type Link, type Target } from '../engines/node/index.ts'
import type { Trace } from '../wire/direction/trace.ts'
import { attribute, attributeAccount, type Attribution } from './attribution.ts'
import type { Calling } from '../options/calling.ts'
import type { OwnDelay } from './again.ts'
import type { Account, Control, Own } from './control.ts'
import { ProbeConnection } from './probe.ts'
import type { Found } from './found.ts'
import type { KnownPath } from './known-path.ts'
import type { Cost, Limits } from './limits.ts'
import { closing, Room } from './room.ts'

export { isEchoOf, message, nothingKnown, type KnownPath } from './known-path.ts'

/** How often a question may ask the other end what it saw. */
export const witnessesMax = 4
/** How much of what was sent is kept. */
const sentMaxBytes = 4_096
/** How long to wait for a connection. */
export const connectMs = 5_000

export class Scene implements AsyncDisposable {
  readonly address: Address
  readonly calling: Calling
  readonly limits: Limits
  readonly known: KnownPath
  readonly own: OwnDelay
  /** The other end, where its control API is known. */
  readonly control: Control | undefined
  /** Aborted when the question runs out of time. */
  readonly signal: AbortSignal
  /** What has worked so far: a sentence without its full stop. */
  passed = ''
  /** Whether the other end is asked to keep traces of the connections. */
  readonly #traced: boolean
  readonly #cost: Cost
  readonly #room: Room
  readonly #endMs: number
  readonly #open = new Set<ProbeConnection>()
  readonly #others: (() => void)[] = []
  readonly #noted: Found[] = []
  #opened = 0
  #sentBytes = 0
  #asked = 0
  /** Connections that are not made yet. */
  #opening = 0
  #openingMs = 0
  /** The scene is closed: a connection that opens later is closed at once. */
  #isOver = false

  constructor(
    context: Pick<Scene, 'address' | 'calling' | 'limits' | 'known' | 'own' | 'control'>,
    cost: Cost,
    signal: AbortSignal,
    traced = false,
    leftMs = Infinity,
  ) {
    this.#endMs = performance.now() + leftMs
    this.address = context.address
    this.calling = context.calling
    this.limits = context.limits
    this.known = context.known
    this.own = context.own
    this.control = context.control
    this.signal = signal
    this.#cost = cost
    this.#room = new Room(this.limits.maxConnections, this.limits.silenceMs)
    this.#traced = traced
  }

  /** How long a reply may take before it counts as missing. */
  get silenceMs(): number {
    return this.limits.silenceMs + 4 * this.known.rttMs + this.own.patienceMs
  }

  /** What is left of the time of the question. */
  get leftMs(): number {
    return Math.max(0, this.#endMs - performance.now())
  }

  /**
   * A fresh connection; if the other side sends a greeting, that has been read.
   * @throws UserError if it cannot be made
   */
  async open(
    address: Address = this.address,
    calling: Calling = this.calling,
    timeoutMs = connectMs,
  ): Promise<ProbeConnection> {
    this.signal.throwIfAborted()
    const { atOnce, connections } = this.#cost
    for (const probe of this.#open) if (probe.stream.closed) this.#open.delete(probe)
    if (this.#open.size >= atOnce || ++this.#opened > connections)
      throw new Error(
        `a question opened more connections to ${formatAddress(address)} than it said`,
      )
    const number = this.#opened - 1
    const startedMs = performance.now()
    this.#opening++
    const { stream, details } = await this.#dial({ address, calling, number }, timeoutMs).finally(
      () => {
        this.#opening--
        this.#openingMs += performance.now() - startedMs
      },
    )
    if (this.#isOver) {
      stream.destroy()
      throw isOver()
    }
    const traced = this.#traced ? await this.#trace(stream, timeoutMs) : undefined
    const probe = new ProbeConnection(stream, data => this.#send(data))
    probe.details = details
    probe.traceId = traced?.id
    probe.seenAs = traced?.accepted.from
    probe.isTunnelled = calling.proxy !== undefined
    this.#open.add(probe)
    const { greetingBytes } = this.known
    if (greetingBytes > 0) {
      await probe.bytes(greetingBytes, this.silenceMs)
      probe.discard()
    }
    return probe
  }

  #dial(target: Target, timeoutMs = connectMs): Promise<Link> {
    return this.#room.take(
      () => dial(target, timeoutMs),
      ({ stream }) => closing(stream),
    )
  }

  /** Whether the other end keeps traces. */
  async pairs(calling: Calling): Promise<boolean> {
    if (transports[this.address.transport].carries !== 'bytes') return false
    this.#opened++
    const { stream } = await this.#dial({ address: this.address, calling })
    // A server that knows no sessions echoes the hello like any bytes.
    const traced = await trace(stream, this.silenceMs).catch(() => undefined)
    stream.destroy()
    this.known.fingerprint = traced?.accepted.fingerprint
    return traced !== undefined
  }

  async #trace(stream: Duplex, timeoutMs: number) {
    try {
      return await trace(stream, timeoutMs)
    } catch (error) {
      stream.destroy()
      throw new UserError('network', `The other end keeps no trace: ${(error as Error).message}.`)
    }
  }

  /** What the other end saw; undefined if it does not tell. */
  async traceOf({ traceId }: ProbeConnection): Promise<Trace | null | undefined> {
    if (traceId === undefined || this.#asked >= witnessesMax) return undefined
    this.#asked++
    this.#opened++
    try {
      const { stream } = await this.#dial({ address: this.address, calling: this.calling })
      // If no answer comes, as on a path that loses large packets, the connection is closed.
      return await askTrace(stream, traceId, this.silenceMs).finally(() => stream.destroy())
    } catch {
      return undefined
    }
  }

  /**
   * What the other end saw of a connection, which must still be open; undefined if that is not
   * known.
   */
  async witness(probe: ProbeConnection): Promise<Attribution | undefined> {
    const trace = await this.traceOf(probe)
    if (trace !== undefined) return attribute(probe, trace)
    // What TLS, WebSocket and HTTP put around messages is not counted here.
    const { carries, secure } = transports[this.address.transport]
    const account = carries === 'bytes' && !secure ? await this.accountOf(probe) : undefined
    return account && attributeAccount(probe, account)
  }

  /** What the other end says over its control API; undefined if it does not tell. */
  async accountOf(own: Own): Promise<Account | undefined> {
    if (!this.control || own.local === '') return undefined
    return await this.control.accountOf(own).catch(() => undefined)
  }

  /**
   * Opens a connection by another library, which is not a plain stream. It is closed with the
   * others.
   * @param closed resolves when the connection is closed
   * @throws UserError if it cannot be made
   */
  async adopt<T>(
    open: () => Promise<T>,
    close: (opened: T) => void,
    closed: (opened: T) => Promise<unknown>,
  ): Promise<T> {
    this.signal.throwIfAborted()
    if (++this.#opened > this.#cost.connections)
      throw new Error('a question opened more connections than it said')
    const opened = await this.#room.take(open, closed)
    if (this.#isOver) {
      close(opened)
      throw isOver()
    }
    this.#others.push(() => close(opened))
    return opened
  }

  /** Keeps what was found: it is reported even if the time limit ends the question. */
  note(...found: (Found | undefined)[]): void {
    this.#noted.push(...found.filter(each => each !== undefined))
  }

  /** The findings that were noted; of each kind only the last one. */
  get noted(): Found[] {
    return [...new Map(this.#noted.map(found => [found.name, found])).values()]
  }

  /** Says that this many bytes are about to be sent. */
  spend(bytes: number): void {
    this.signal.throwIfAborted()
    this.#sentBytes += bytes
    if (this.#sentBytes > this.#cost.bytes) throw new Error('a question sent more than it said')
  }

  #send(data: Uint8Array): void {
    this.spend(data.length)
    const { known } = this
    if (data.length <= sentMaxBytes)
      known.sent = Buffer.concat([known.sent, data]).subarray(-sentMaxBytes)
  }

  /**
   * Whether the question waits for a connection now, or has waited for connections for this long in
   * all.
   */
  waited(ms: number): boolean {
    return this.#opening > 0 || this.#openingMs >= ms
  }

  /** What the question has used. */
  get used(): { connections: number; bytes: number } {
    return { connections: this.#opened, bytes: this.#sentBytes }
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    for (const close of this.#others) close()
    await Promise.all([...this.#open].map(probe => probe.close()))
  }
}

const isOver = () => new Error('the time of the question is over')
