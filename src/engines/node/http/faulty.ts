/** The echo of a badly behaved HTTP server: each body goes through a chain of faults. */
import { Arrivals } from '../../../faults/arrivals.ts'
import { Chain } from '../../../faults/chain.ts'
import { Gone, Reset, type Chunk } from '../../../faults/fault.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import { recordHits } from '../../../faults/record.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { nextTurn } from '../core/turns.ts'
import { announce } from './answer.ts'
import type { Request, Response } from './exchange.ts'
import type { EchoBody, HttpConnection } from './connection.ts'
import { spend } from '../core/spent.ts'

export interface FaultyBody {
  echo: EchoBody
  /** For requests that come, and from now on for those under way. */
  setFaults(faults: readonly FaultSpec[]): void
}

/** What faults count, they count for each body: after 1000 bytes of it, for example. */
export function createFaultyBody({ faults, seed }: ServeTask, meter: Meter): FaultyBody {
  const bodies = new Set<Body>()
  const onHit = recordHits(meter)
  let present: readonly FaultSpec[] = faults ?? []
  return {
    echo(request, response, connection) {
      const { number, openedAt } = connection
      const onReset = () => connection.reset()
      const options = {
        seed,
        connection: number,
        openedAt,
        carries: 'bytes',
        onHit,
        onReset,
      } as const
      const createChain = () => new Chain(present, options)
      announce(request, response)
      const body = new Body(request, response, connection, createChain, meter.counters)
      bodies.add(body)
      void body.run().finally(() => bodies.delete(body))
    },
    setFaults(faults) {
      present = faults
      for (const body of bodies) body.renewChain()
    },
  }
}

class Body {
  readonly #response: Response
  readonly #connection: HttpConnection
  readonly #createChain: () => Chain
  readonly #counters: Float64Array
  readonly #arrivals: Arrivals
  #chain: Chain
  /** The chain is to be replaced once what it holds is out. */
  #outdated = false
  /** The body is complete, and all of it has gone into the chain. */
  #exhausted = false
  #ended = false
  #vanish!: (error: Gone) => void
  readonly #vanished = new Promise<never>((_, reject) => (this.#vanish = reject))

  constructor(
    request: Request,
    response: Response,
    connection: HttpConnection,
    createChain: () => Chain,
    counters: Float64Array,
  ) {
    this.#response = response
    this.#connection = connection
    this.#createChain = createChain
    this.#counters = counters
    this.#arrivals = new Arrivals(request)
    this.#chain = createChain()
    this.#vanished.catch(() => {})
    request
      .on('data', (chunk: Buffer) => {
        counters[counter.bytesIn]! += chunk.length
        spend(chunk.length)
        this.#arrivals.push(chunk)
      })
      .on('end', () => {
        this.#ended = true
        counters[counter.chunks]!++
        this.#arrivals.end()
      })
    response.once('close', () => this.#cancel())
  }

  /** What the chain says: data, an early end, Reset as RST. Anything else is a defect. */
  async run(): Promise<void> {
    const calledOff = [
      this.#connection.whenGone(() => this.#cancel()),
      this.#connection.whenLeaving(() => this.#chain.leave()),
    ]
    try {
      do {
        this.#outdated = false
        for await (const { data } of this.#chain.apply(this.#read(this.#arrivals.read()))) {
          this.#counters[counter.bytesOut]! += data.length
          // One by one: what is written before the last write is done would leave as one piece.
          await Promise.race([write(this.#response, data), this.#vanished])
          await nextTurn()
        }
        if (this.#outdated) this.#chain = this.#createChain()
      } while (this.#outdated)
      if (this.#exhausted) this.#response.end()
      else this.#connection.cut(this.#response)
    } catch (error) {
      if (error instanceof Reset) this.#connection.reset()
      else if (error instanceof Gone) this.#connection.cut(this.#response)
      else throw error
    } finally {
      this.#chain.cancel()
      for (const callOff of calledOff) callOff()
    }
  }

  async *#read(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    yield* chunks
    this.#exhausted = this.#ended
  }

  renewChain(): void {
    if (this.#outdated) return
    this.#outdated = true
    this.#chain.release()
    this.#arrivals.interrupt()
  }

  #cancel() {
    this.#vanish(new Gone())
    this.#arrivals.end()
    this.#chain.cancel()
  }
}

function write(response: Response, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(data, error => (error ? reject(new Gone()) : resolve()))
  })
}
