/**
 * Connections that are not served yet: within the PROXY header, TLS, the upgrade to WebSocket, or
 * the head of the first request. They take places: a slow one makes room, the oldest first.
 */
import type { Socket } from 'node:net'

/**
 * Time is counted in looks, so that a busy thread does not call a client slow that it has not read.
 */
const lookMs = 250
/** How many looks a client has for its first message, which it can send at once. */
const firstLooks = 4
/** How many more looks it has for its answers: it may be as busy as this server. */
const laterLooks = 12

interface Pending {
  since: number
  refuse: () => void
}

export class Unfinished {
  /** In the order of their arrival. */
  readonly #pending = new Map<Socket, Pending>()
  readonly #listeners: (() => void)[] = []
  #looks = 0
  #timer: NodeJS.Timeout | undefined

  /** The number of looks so far, counted while there was a connection to look at. */
  get looks(): number {
    return this.#looks
  }

  /** To be called after each look. */
  onLook(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** @param refuse closes the connection, and counts it */
  add(raw: Socket, refuse: () => void): void {
    this.#pending.set(raw, { since: this.#looks, refuse })
    this.#timer ??= setInterval(() => {
      this.#looks++
      for (const listener of this.#listeners) listener()
    }, lookMs).unref()
  }

  /** The connection is served, or gone. */
  delete(raw: Socket): void {
    this.#pending.delete(raw)
    if (this.#pending.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Whether it has used up its looks. @param since how many looks there were when it began */
  isSlow({ bytesWritten }: Socket, since: number): boolean {
    return this.#looks - since > (bytesWritten === 0 ? firstLooks : laterLooks)
  }

  /** Whether a connection could make room. */
  get hasSlow(): boolean {
    return this.#slowest() !== undefined
  }

  /** Closes the oldest slow connection. False: there is none. */
  makeRoom(): boolean {
    const slow = this.#slowest()
    if (!slow) return false
    const { refuse } = this.#pending.get(slow)!
    this.delete(slow)
    refuse()
    return true
  }

  #slowest(): Socket | undefined {
    for (const [raw, { since }] of this.#pending) {
      if (this.#looks - since <= firstLooks) return undefined
      if (this.isSlow(raw, since)) return raw
    }
    return undefined
  }
}
