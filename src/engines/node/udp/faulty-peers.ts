/** A badly behaved server of datagrams: what each source sends goes through faults of its own. */
import { Arrivals } from '../../../faults/arrivals.ts'
import { Chain, type ChainOptions } from '../../../faults/chain.ts'
import { Gone, type Chunk } from '../../../faults/fault.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import { recordHits } from '../../../faults/record.ts'
import type { Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { Recent } from './recent.ts'

export interface Source {
  address: string
  port: number
}

/** Sources that have faults of their own at the same time; what the oldest waits for is lost. */
const peersMax = 1_024
/** What waits in all of them; what comes then is dropped, as a full socket buffer drops it. */
const heldMaxBytes = 64 * 2 ** 20
/** What a datagram costs besides its bytes. */
const datagramBytes = 256

export class FaultyPeers {
  readonly #peers = new Recent<Peer>(peersMax, peer => peer.cancel())
  readonly #options: Omit<ChainOptions, 'connection' | 'openedAt'>
  readonly #send: (data: Uint8Array, to: Source) => void
  #faults: readonly FaultSpec[]
  #count = 0
  #running = 0
  #heldBytes = 0
  #leaving = false

  constructor(task: ServeTask, meter: Meter, send: (data: Uint8Array, to: Source) => void) {
    const onHit = recordHits(meter)
    this.#options = { seed: task.seed, carries: 'datagrams', onHit, onReset: () => {} }
    this.#faults = task.faults ?? []
    this.#send = send
  }

  /** Whether anything may still come out. */
  get busy(): boolean {
    return this.#running > 0
  }

  /** Whether it was taken. */
  push(data: Buffer, from: Source): boolean {
    const key = `${from.address} ${from.port}`
    let peer = this.#peers.get(key)
    if (!peer) this.#peers.set(key, (peer = this.#open(from)))
    if (this.#leaving || peer.full || this.#heldBytes > heldMaxBytes) return false
    this.#heldBytes += data.length + datagramBytes
    peer.push(data)
    return true
  }

  #open(from: Source): Peer {
    const connection = this.#count++
    const options = { ...this.#options, connection, openedAt: performance.now() }
    const onTaken = ({ data }: Chunk) => void (this.#heldBytes -= data.length + datagramBytes)
    const peer = new Peer(from, () => new Chain(this.#faults, options), onTaken, this.#send)
    this.#running++
    void peer.run().finally(() => this.#running--)
    return peer
  }

  setFaults(faults: readonly FaultSpec[]): void {
    this.#faults = faults
    for (const peer of this.#peers.values()) peer.renewChain()
  }

  /** What is held comes out in its time; nothing more goes in. */
  leave(): void {
    this.#leaving = true
    for (const peer of this.#peers.values()) peer.leave()
  }

  cancel(): void {
    for (const peer of this.#peers.values()) peer.cancel()
  }
}

class Peer {
  /** So much of it waits that nothing more is taken. */
  full = false
  readonly #from: Source
  readonly #arrivals = new Arrivals({
    pause: () => (this.full = true),
    resume: () => (this.full = false),
  })
  readonly #createChain: () => Chain
  readonly #onTaken: (chunk: Chunk) => void
  readonly #send: (data: Uint8Array, to: Source) => void
  #chain: Chain
  #outdated = false
  #cancelled = false

  constructor(
    from: Source,
    createChain: () => Chain,
    onTaken: (chunk: Chunk) => void,
    send: (data: Uint8Array, to: Source) => void,
  ) {
    this.#from = from
    this.#createChain = createChain
    this.#onTaken = onTaken
    this.#send = send
    this.#chain = createChain()
  }

  push(data: Buffer): void {
    this.#arrivals.push(data, { from: this.#from })
  }

  async run(): Promise<void> {
    try {
      do {
        this.#outdated = false
        const chunks = this.#chain.apply(this.#taken(this.#arrivals.read()))
        for await (const { data } of chunks) this.#send(data, this.#from)
        if (this.#outdated) this.#chain = this.#createChain()
      } while (this.#outdated && !this.#cancelled)
    } catch (error) {
      if (!(error instanceof Gone)) throw error
    }
    // Nobody takes it any more: it must not count as held.
    for await (const chunk of this.#arrivals.read()) this.#onTaken(chunk)
  }

  async *#taken(chunks: AsyncIterable<Chunk>) {
    for await (const chunk of chunks) {
      this.#onTaken(chunk)
      yield chunk
    }
  }

  renewChain(): void {
    if (this.#outdated) return
    this.#outdated = true
    this.#chain.release()
    this.#arrivals.interrupt()
  }

  leave(): void {
    this.#arrivals.end()
    this.#chain.leave()
  }

  cancel(): void {
    this.#cancelled = true
    this.#arrivals.end()
    this.#chain.cancel()
  }
}
