/** Reopens connections that broke, each after its backoff, until nothing more is planned. */
import type { Duplex } from 'node:stream'
import { backoffMs } from '../../../load/backoff.ts'
import { triesOf } from '../../../load/outages.ts'
import type { Stream } from '../../../load/stream.ts'
import type { Traffic } from '../../../load/traffic.ts'
import { counter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { failureName, reasonWhy } from '../../failures.ts'
import type { Dial } from '../core/link.ts'
import { dialsAtOnce, timedDial } from './timed-dial.ts'

interface Attempt {
  stream: Stream
  timer: NodeJS.Timeout
  /** Ends the dial that is under way. */
  abort: AbortController
}

export class Redials {
  readonly #task: LoadTask
  readonly #traffic: Traffic
  readonly #dial: Dial
  readonly #onOpen: (stream: Stream, socket: Duplex) => void
  readonly #attempts = new Map<Stream, Attempt>()
  /** How often each connection was dialled again. */
  readonly #dials: Uint32Array
  /** Dials that are due, but have to wait because too many others are under way. */
  readonly #due: Attempt[] = []
  #dialling = 0

  constructor(
    task: LoadTask,
    traffic: Traffic,
    dial: Dial,
    onOpen: (stream: Stream, socket: Duplex) => void,
  ) {
    this.#task = task
    this.#traffic = traffic
    this.#dial = dial
    this.#onOpen = onOpen
    this.#dials = new Uint32Array(task.connections)
  }

  begin(stream: Stream): void {
    const { connection, index } = stream
    const tries = triesOf(stream.outage!)
    const waitMs = backoffMs(this.#task.seed, connection, tries, this.#dials[index]!++)
    const attempt: Attempt = {
      stream,
      timer: setTimeout(() => {
        this.#due.push(attempt)
        this.#next()
      }, waitMs),
      abort: new AbortController(),
    }
    this.#attempts.set(stream, attempt)
  }

  /** A connection is not needed any more. */
  cancel(stream: Stream): void {
    const attempt = this.#attempts.get(stream)
    clearTimeout(attempt?.timer)
    attempt?.abort.abort()
    this.#attempts.delete(stream)
  }

  #next(): void {
    while (this.#dialling < dialsAtOnce) {
      const attempt = this.#due.shift()
      if (!attempt) return
      if (!attempt.abort.signal.aborted) void this.#open(attempt)
    }
  }

  async #open({ stream, abort: { signal } }: Attempt): Promise<void> {
    const { connection } = stream
    const { meter, evidence } = this.#traffic
    this.#dialling++
    try {
      const socket = await timedDial(this.#task, meter, this.#dial, connection, signal)
      if (signal.aborted) {
        socket.destroy()
        meter.counters[counter.closed]!++
        return
      }
      this.#attempts.delete(stream)
      this.#onOpen(stream, socket)
    } catch (error) {
      if (signal.aborted) return
      const name = failureName(error)
      evidence.noteReason(name, reasonWhy(error))
      stream.dialFailed(name)
      this.begin(stream)
    } finally {
      this.#dialling--
      this.#next()
    }
  }
}
