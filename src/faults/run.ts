/** The loop around the faults of one connection, of one body, or of one source of datagrams. */
import { ArrivedChunks, type Pausable } from './arrived-chunks.ts'
import type { Chain } from './chain.ts'
import { ConnectionEnded, Reset, type Chunk, type MessageType } from './fault.ts'

/** How it ended: all is sent, a fault ended it (FIN), RST is due, or the peer has gone. */
export type RunEnding = 'ended' | 'reset' | 'connection-ended'

export class FaultRun {
  readonly #arrivals: ArrivedChunks
  readonly #createChain: () => Chain
  readonly #onTaken: (chunk: Chunk) => void
  #chain: Chain
  /** Whether the chain is replaced once the chunks in it are sent. */
  #outdated = false
  #complete = false
  #exhausted = false
  #cancelled = false

  /**
   * @param source paused while too much waits
   * @param createChain with the faults that are in force
   * @param onTaken called for each chunk that enters the chain, and so waits no longer
   */
  constructor(
    source: Pausable,
    createChain: () => Chain,
    onTaken: (chunk: Chunk) => void = () => {},
  ) {
    this.#arrivals = new ArrivedChunks(source)
    this.#createChain = createChain
    this.#onTaken = onTaken
    this.#chain = createChain()
  }

  /**
   * Sends what comes out of the faults, one chunk after the other. Anything thrown is a defect.
   * @param onRenewed called when other faults are in force
   */
  async run(
    send: (chunk: Chunk) => Promise<void> | void,
    onRenewed: () => void = () => {},
  ): Promise<RunEnding> {
    try {
      for (;;) {
        this.#outdated = false
        for await (const chunk of this.#chain.apply(this.#take())) await send(chunk)
        if (!this.#outdated || this.#cancelled) return 'ended'
        this.#chain = this.#createChain()
        onRenewed()
      }
    } catch (error) {
      if (error instanceof Reset) return 'reset'
      if (error instanceof ConnectionEnded) return 'connection-ended'
      throw error
    }
  }

  #take(): AsyncIterable<Chunk> {
    // Before the chain begins: see ArrivedChunks.read().
    const chunks = this.#arrivals.read()
    return this.#noteTaken(chunks)
  }

  async *#noteTaken(chunks: AsyncIterable<Chunk>) {
    for await (const chunk of chunks) {
      this.#onTaken(chunk)
      yield chunk
    }
    this.#exhausted = this.#complete
  }

  /** Adds a chunk, with its message on a transport of messages. */
  push(data: Uint8Array, message?: MessageType): void {
    this.#arrivals.push(data, message)
  }

  /** The sender has finished. */
  end(): void {
    this.#complete = true
    this.#arrivals.end()
  }

  /** Whether the sender has finished, and all its chunks have entered the faults. */
  get exhausted(): boolean {
    return this.#exhausted
  }

  /** Whether the connection hangs at present. */
  get hangs(): boolean {
    return this.#chain.hangs
  }

  /** Other faults are in force: the chunks in the old chain are sent now. */
  renew(): void {
    if (this.#outdated) return
    this.#outdated = true
    this.#chain.release()
    this.#arrivals.interrupt()
  }

  /** The server is stopping: delayed chunks leave when they are due, and nothing hangs for ever. */
  leave(): void {
    this.#chain.leave()
  }

  /** The peer has gone. */
  cancel(): void {
    this.#cancelled = true
    this.#arrivals.end()
    this.#chain.cancel()
  }

  /** The chunks that never entered the chain, once run() has ended. */
  async discard(): Promise<void> {
    for await (const chunk of this.#arrivals.read()) this.#onTaken(chunk)
  }
}
