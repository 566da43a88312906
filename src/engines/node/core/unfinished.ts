/**
 * Connections that have begun and are not served yet: within PROXY header, TLS, an upgrade to
 * WebSocket, the head of their first request. They take places that others may want; so one that
 * has not finished after a while makes room, the oldest first.
 */
import type { Socket } from 'node:net'

/** Time is counted in looks, so that a busy thread takes no client for slow before it has read. */
const lookMs = 250
/** So many looks are for what a client sends first: it has all of that when it connects. */
const firstLooks = 4
/** And so many for its answers: it may be as busy as this server. */
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

  /** How often there was a look, while there was a connection to look at. */
  get looks(): number {
    return this.#looks
  }

  /** To be called after each look. */
  onLook(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** @param refuse closes it, and counts that */
  add(raw: Socket, refuse: () => void): void {
    this.#pending.set(raw, { since: this.#looks, refuse })
    this.#timer ??= setInterval(() => {
      this.#looks++
      for (const listener of this.#listeners) listener()
    }, lookMs).unref()
  }

  /** It is served, or gone. */
  delete(raw: Socket): void {
    this.#pending.delete(raw)
    if (this.#pending.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Whether it has had its time; `since` is the number of looks until it began. */
  isSlow({ bytesWritten }: Socket, since: number): boolean {
    return this.#looks - since > (bytesWritten === 0 ? firstLooks : laterLooks)
  }

  /** Whether one connection could make room. */
  get hasSlow(): boolean {
    return this.#slowest() !== undefined
  }

  /** Closes the oldest that has had its time. False: there is none. */
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
