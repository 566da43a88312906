/**
 * Clients who have begun and are not served yet: within PROXY header, TLS, an upgrade to WebSocket,
 * the head of their first request. They take places that others may want; so whoever has not
 * finished after a while makes room, the oldest first.
 */
import type { Socket } from 'node:net'

/** Time is counted in looks, so that a busy thread takes nobody for slow whom it has not heard. */
const lookMs = 250
/** So many looks are for what a client says first: it has all of that when it connects. */
const firstLooks = 4
/** And so many for what it answers; it may be as busy as we are. */
const laterLooks = 12

interface Guest {
  since: number
  turnOut: () => void
}

export class Unfinished {
  /** In the order of their arrival. */
  readonly #guests = new Map<Socket, Guest>()
  readonly #listeners: (() => void)[] = []
  #looks = 0
  #timer: NodeJS.Timeout | undefined

  /** How often there was a look, while there was somebody to look at. */
  get looks(): number {
    return this.#looks
  }

  /** To be called after each look. */
  onLook(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** @param turnOut closes it, and counts that */
  add(raw: Socket, turnOut: () => void): void {
    this.#guests.set(raw, { since: this.#looks, turnOut })
    this.#timer ??= setInterval(() => {
      this.#looks++
      for (const listener of this.#listeners) listener()
    }, lookMs).unref()
  }

  /** It is served, or gone. */
  delete(raw: Socket): void {
    this.#guests.delete(raw)
    if (this.#guests.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Whether it has had its time; `since` are the looks until it began. */
  isSlow({ bytesWritten }: Socket, since: number): boolean {
    return this.#looks - since > (bytesWritten === 0 ? firstLooks : laterLooks)
  }

  /** Whether somebody could make room. */
  get hasSlow(): boolean {
    return this.#slowest() !== undefined
  }

  /** Turns the oldest out who has had its time. False: there is none. */
  makeRoom(): boolean {
    const slow = this.#slowest()
    if (!slow) return false
    const { turnOut } = this.#guests.get(slow)!
    this.delete(slow)
    turnOut()
    return true
  }

  #slowest(): Socket | undefined {
    for (const [raw, { since }] of this.#guests) {
      if (this.#looks - since <= firstLooks) return undefined
      if (this.isSlow(raw, since)) return raw
    }
    return undefined
  }
}
