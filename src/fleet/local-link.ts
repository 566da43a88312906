/** The link of a coordinator that is the broker itself: in its process, without a connection. */
import type { Broker } from './broker.ts'
import { within } from './deferred.ts'
import { leaveMs, type FleetLink, type LinkEvents, type SayOptions } from './broker-link.ts'
import { unseal, seal } from './sealed.ts'

export class LocalLink implements FleetLink {
  readonly #broker: Broker
  readonly #token: string | undefined
  readonly #message: LinkEvents['message']
  readonly #leaving = new Set<Promise<void>>()
  /** Agents that leave because the broker ends are not reported. */
  #closed = false

  constructor(broker: Broker, token: string | undefined, message: LinkEvents['message']) {
    this.#broker = broker
    this.#token = token
    this.#message = message
  }

  subscribe(...all: string[]): Promise<void> {
    for (const topic of all)
      this.#broker.subscribe(topic, (found, payload) => {
        if (this.#closed) return
        const empty = payload.length === 0
        this.#message(found, empty ? null : unseal<never>(this.#token, found, payload))
      })
    return Promise.resolve()
  }

  async say(topic: string, words: object, options: SayOptions = {}): Promise<void> {
    const { bytes, sure = false, retain = false } = options
    const message = seal(this.#token, topic, words, bytes)
    const left = this.#broker.publish(topic, message, { qos: sure ? 1 : 0, retain })
    this.#leaving.add(left)
    return left.finally(() => this.#leaving.delete(left))
  }

  /** Waits for messages that are being sent, and closes the broker. */
  async close(): Promise<void> {
    this.#closed = true
    await within(Promise.allSettled(this.#leaving), leaveMs)
    await this.#broker.close()
  }
}
