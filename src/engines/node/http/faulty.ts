/** The echo of a badly behaved HTTP server: each body goes through a chain of faults. */
import { Chain } from '../../../faults/chain.ts'
import { ConnectionEnded, type Chunk } from '../../../faults/fault.ts'
import type { FaultSpec } from '../../../faults/index.ts'
import { recordHits } from '../../../faults/record.ts'
import { FaultRun } from '../../../faults/run.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import type { HoldBack } from '../../backpressure.ts'
import { nextTurn } from '../core/fair-turns.ts'
import { announce } from './answer.ts'
import type { Request, Response } from './exchange.ts'
import type { EchoBody, HttpConnection } from './connection.ts'
import { countGarbage } from '../../garbage.ts'
import { echoTrailers } from './trailers.ts'

export interface FaultyBody {
  echo: EchoBody
  /** Sets the faults for new requests, and for the rest of those that have begun. */
  setFaults(faults: readonly FaultSpec[]): void
}

/** Faults count within each body: `after 1000 bytes` means of that body. */
export function createFaultyBody(
  { faults, seed }: ServeTask,
  meter: Meter,
  holdBack: HoldBack,
): FaultyBody {
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
      const source = { pause: () => holdBack(request), resume: () => request.resume() }
      const run = new FaultRun(source, () => new Chain(present, options))
      announce(request, response)
      const body = new Body(request, response, connection, run, meter.counters)
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
  readonly #request: Request
  readonly #response: Response
  readonly #connection: HttpConnection
  readonly #counters: Float64Array
  readonly #run: FaultRun
  #vanish!: (error: ConnectionEnded) => void
  readonly #vanished = new Promise<never>((_, reject) => (this.#vanish = reject))

  constructor(
    request: Request,
    response: Response,
    connection: HttpConnection,
    run: FaultRun,
    counters: Float64Array,
  ) {
    this.#request = request
    this.#response = response
    this.#connection = connection
    this.#counters = counters
    this.#run = run
    this.#vanished.catch(() => {})
    request
      .on('data', (chunk: Buffer) => {
        counters[counter.bytesIn]! += chunk.length
        countGarbage(chunk.length)
        this.#run.push(chunk)
      })
      .on('end', () => {
        counters[counter.chunks]!++
        this.#run.end()
      })
    response.once('close', () => this.#cancel())
  }

  async run(): Promise<void> {
    const calledOff = [
      this.#connection.whenGone(() => this.#cancel()),
      this.#connection.whenLeaving(() => this.#run.leave()),
    ]
    try {
      const ending = await this.#run.run(chunk => this.#write(chunk))
      if (ending === 'reset') this.#connection.reset()
      else if (ending === 'ended' && this.#run.exhausted) {
        echoTrailers(this.#request, this.#response)
        this.#response.end()
      } else this.#connection.cut(this.#response)
    } finally {
      this.#run.cancel()
      for (const callOff of calledOff) callOff()
    }
  }

  async #write({ data }: Chunk) {
    this.#counters[counter.bytesOut]! += data.length
    // One after the other: chunks that are written together would leave as one piece.
    await Promise.race([write(this.#response, data), this.#vanished])
    await nextTurn()
  }

  renewChain(): void {
    this.#run.renew()
  }

  #cancel() {
    this.#vanish(new ConnectionEnded())
    this.#run.cancel()
  }
}

function write(response: Response, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(data, error => (error ? reject(new ConnectionEnded()) : resolve()))
  })
}
