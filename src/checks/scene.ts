/** What a question works with: connections within its bounds, and what is known so far. */
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { dial } from '../engines/node/index.ts'
import type { Calling } from '../options/calling.ts'
import { Probe } from './probe.ts'
import type { Cost, Limits } from './limits.ts'

/** What the first look and earlier questions have found out. */
export interface Known {
  /** Bytes that the other side sends before it is sent anything. */
  greetingBytes: number
  /** Nothing comes back before a line is whole. */
  byLine: boolean
  /** Something comes back. */
  echoes: boolean
  /** All that comes back is what was sent. */
  exact: boolean
  /** A round trip, in milliseconds. */
  rttMs: number
  /** How many connections were served at once; undefined before that was asked. */
  atOnce?: number
}

export const nothingKnown = (): Known => ({
  greetingBytes: 0,
  byLine: false,
  echoes: true,
  exact: true,
  rttMs: 0,
})

/** How long to wait for a connection. */
export const connectMs = 5_000

export class Scene implements AsyncDisposable {
  readonly address: Address
  readonly calling: Calling
  readonly limits: Limits
  readonly known: Known
  /** Aborted when the time of the question is over. */
  readonly signal: AbortSignal
  readonly #cost: Cost
  readonly #open = new Set<Probe>()
  #opened = 0
  #sentBytes = 0

  constructor(
    { address, calling, limits, known }: Pick<Scene, 'address' | 'calling' | 'limits' | 'known'>,
    cost: Cost,
    signal: AbortSignal,
  ) {
    this.address = address
    this.calling = calling
    this.limits = limits
    this.known = known
    this.signal = signal
    this.#cost = cost
  }

  /** How long a reply may take before it counts as missing. */
  get silenceMs(): number {
    return this.limits.silenceMs + 4 * this.known.rttMs
  }

  /**
   * A fresh connection, behind the greeting where the other side sends one.
   * @throws UserError if it cannot be made
   */
  async open(address: Address = this.address, calling: Calling = this.calling): Promise<Probe> {
    this.signal.throwIfAborted()
    const { atOnce, connections } = this.#cost
    for (const probe of this.#open) if (probe.stream.closed) this.#open.delete(probe)
    if (this.#open.size >= atOnce || ++this.#opened > connections)
      throw new Error(
        `a question opened more connections to ${formatAddress(address)} than it said`,
      )
    const { stream } = await dial({ address, calling }, connectMs)
    const probe = new Probe(stream, bytes => this.#spend(bytes))
    this.#open.add(probe)
    const { greetingBytes } = this.known
    if (greetingBytes > 0) {
      await probe.bytes(greetingBytes, this.silenceMs)
      probe.discard()
    }
    return probe
  }

  #spend(bytes: number) {
    this.signal.throwIfAborted()
    this.#sentBytes += bytes
    if (this.#sentBytes > this.#cost.bytes) throw new Error('a question sent more than it said')
  }

  /** What it has used. */
  get used(): { connections: number; bytes: number } {
    return { connections: this.#opened, bytes: this.#sentBytes }
  }

  /** Closes all. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open].map(probe => probe.close()))
  }
}

/** So many printable bytes, as a line where nothing comes back before one is whole. */
export function message(known: Known, bytes: number): Buffer {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  const text = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at++) text[at] = letters.charCodeAt((at * 7 + (at >> 6)) % 36)
  if (known.byLine && bytes > 0) text[bytes - 1] = 10
  return text
}
