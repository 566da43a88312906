/** Short connections of a load over node:net. */
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { Churn, type Short, type ShortDialler } from '../../../load/churn.ts'
import { copyOf } from '../../../load/payload.ts'
import { ShortMessage } from '../../../load/short-message.ts'
import type { Traffic } from '../../../load/traffic.ts'
import { counter, type FailureName } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { StatusError } from '../../../vocabulary/peer-errors.ts'
import { failureName, reasonOf } from '../../failures.ts'
import type { Dial } from '../core/link.ts'
import { afterTimeout } from '../core/patience.ts'
import { countReconnects } from '../http/reconnects.ts'
import { noteFailure } from './note-failure.ts'

export class ShortSockets implements ShortDialler {
  readonly churn: Churn
  readonly #task: LoadTask
  readonly #traffic: Traffic
  readonly #dial: Dial
  /** Called when there may be room for the next one. */
  readonly #onRoom: () => void
  /** Ends all that have begun. */
  readonly #abandon = new AbortController()

  constructor(task: LoadTask, traffic: Traffic, dial: Dial, onRoom: () => void) {
    this.#task = task
    this.#traffic = traffic
    this.#dial = dial
    this.#onRoom = onRoom
    this.churn = new Churn(traffic, this)
    setMaxListeners(0, this.#abandon.signal)
  }

  begin(short: Short): void {
    void this.#shortConnection(short)
  }

  abandon(): void {
    this.#abandon.abort()
  }

  async #shortConnection(short: Short): Promise<void> {
    let failure: FailureName | undefined
    try {
      const { signal } = this.#abandon
      const target = { ...this.#task, number: short.number }
      const { stream } = await this.#dial(target, this.#task.timeoutMs, signal)
      this.churn.connected(short)
      this.#onRoom()
      countReconnects(stream, this.#traffic)
      failure = await this.#echoOnce(stream, short.connection)
    } catch (error) {
      if (!this.#abandon.signal.aborted) failure = noteFailure(this.#traffic, error)
    }
    this.churn.ended(short, failure)
    this.#onRoom()
  }

  /** Resolves when the connection is closed; with the failure, if it failed. */
  #echoOnce(socket: Duplex, connection: number): Promise<FailureName | undefined> {
    const message = new ShortMessage(this.#traffic, connection)
    const giveUp = () => {
      message.fail(counter.timedOut)
      socket.destroy()
    }
    let done = afterTimeout(this.#task.timeoutMs, giveUp)
    socket.on('data', (data: Buffer | string) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      if (!message.arrived(chunk, 0, chunk.length)) socket.destroy()
      else if (message.done) {
        // Now the other side has to close; it has the same time limit for that.
        done()
        done = afterTimeout(this.#task.timeoutMs, giveUp)
        socket.end()
      }
    })
    socket.on('end', () => {
      message.ended()
      socket.end()
    })
    socket.on('error', error => {
      if (error instanceof StatusError) this.#traffic.evidence.noteStatus(error.status)
      message.fail(counter[failureName(error)], reasonOf(error))
    })
    socket.write(copyOf(this.#traffic.payload, connection, 0, message.issuedBytes))
    return new Promise(resolve => {
      socket.on('close', () => {
        done()
        resolve(this.#abandon.signal.aborted ? undefined : message.closed())
      })
    })
  }
}
