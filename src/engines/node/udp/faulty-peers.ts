/** The echo of datagrams with faults: each source has a chain of faults of its own. */
import { Chain, type ChainOptions } from '../../../faults/chain.ts'
import type { Chunk } from '../../../faults/fault.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import { recordHits } from '../../../faults/record.ts'
import { FaultRun } from '../../../faults/run.ts'
import type { Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { Recent } from '../../../wire/udp/recent.ts'

/** Where datagrams come from, and where they are sent. */
export interface Endpoint {
  address: string
  port: number
}

/**
 * How many sources may have a chain at once; for a further one, the oldest chain is dropped with
 * what waits in it.
 */
const peersMax = 1_024
/** How many bytes may wait in all chains together; more is dropped, as by a full socket buffer. */
const heldMaxBytes = 64 * 2 ** 20
/** What a datagram costs besides its bytes. */
const datagramBytes = 256

export class FaultyPeers {
  readonly #peers = new Recent<FaultyPeer>(peersMax, peer => peer.cancel())
  readonly #options: Omit<ChainOptions, 'connection' | 'openedAt'>
  readonly #send: (data: Uint8Array, to: Endpoint) => void
  #faults: readonly FaultSpec[]
  #count = 0
  #running = 0
  #heldBytes = 0
  #leaving = false

  constructor(task: ServeTask, meter: Meter, send: (data: Uint8Array, to: Endpoint) => void) {
    const onHit = recordHits(meter)
    this.#options = { seed: task.seed, carries: 'datagrams', onHit, onReset: () => {} }
    this.#faults = task.faults ?? []
    this.#send = send
  }

  /** Whether datagrams are still in the chains. */
  get busy(): boolean {
    return this.#running > 0
  }

  /** Puts a datagram into the chain of its source; returns whether it was accepted. */
  push(data: Buffer, from: Endpoint): boolean {
    const key = `${from.address} ${from.port}`
    let peer = this.#peers.get(key)
    if (!peer) this.#peers.set(key, (peer = this.#open(from)))
    if (this.#leaving || peer.full || this.#heldBytes > heldMaxBytes) return false
    this.#heldBytes += data.length + datagramBytes
    peer.push(data)
    return true
  }

  #open(from: Endpoint): FaultyPeer {
    const connection = this.#count++
    const options = { ...this.#options, connection, openedAt: performance.now() }
    const onTaken = ({ data }: Chunk) => void (this.#heldBytes -= data.length + datagramBytes)
    const peer = new FaultyPeer(from, () => new Chain(this.#faults, options), onTaken, this.#send)
    this.#running++
    void peer.run().finally(() => this.#running--)
    return peer
  }

  setFaults(faults: readonly FaultSpec[]): void {
    this.#faults = faults
    for (const peer of this.#peers.values()) peer.renewChain()
  }

  /** Waiting datagrams leave when they are due; no more are accepted. */
  leave(): void {
    this.#leaving = true
    for (const peer of this.#peers.values()) peer.leave()
  }

  cancel(): void {
    for (const peer of this.#peers.values()) peer.cancel()
  }
}

class FaultyPeer {
  /** Whether too many bytes wait: then no more are accepted. */
  full = false
  readonly #from: Endpoint
  readonly #run: FaultRun
  readonly #send: (data: Uint8Array, to: Endpoint) => void

  constructor(
    from: Endpoint,
    createChain: () => Chain,
    onTaken: (chunk: Chunk) => void,
    send: (data: Uint8Array, to: Endpoint) => void,
  ) {
    this.#from = from
    const source = { pause: () => (this.full = true), resume: () => (this.full = false) }
    this.#run = new FaultRun(source, createChain, onTaken)
    this.#send = send
  }

  push(data: Buffer): void {
    this.#run.push(data)
  }

  async run(): Promise<void> {
    await this.#run.run(({ data }) => this.#send(data, this.#from))
    // This chunk must not count as waiting.
    await this.#run.discard()
  }

  renewChain(): void {
    this.#run.renew()
  }

  leave(): void {
    this.#run.end()
    this.#run.leave()
  }

  cancel(): void {
    this.#run.cancel()
  }
}
