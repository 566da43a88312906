/**
 * Connections in their handshake: the PROXY header, TLS, the upgrade to WebSocket, or the head of
 * the first request. They count as served clients. If others wait, slow ones are closed, the oldest
 * first.
 */
import type { Socket } from 'node:net'
import { isEarly, isSlow, scanMs } from '../../slow-clients.ts'

interface Pending {
  since: number
  refuse: () => void
}

export class Unfinished {
  /** The connections in their handshake, in the order of arrival. */
  readonly #pending = new Map<Socket, Pending>()
  readonly #listeners: (() => void)[] = []
  #scans = 0
  #timer: NodeJS.Timeout | undefined

  /** The number of scans so far; without connections there are none. */
  get scans(): number {
    return this.#scans
  }

  /** @param listener called after each scan */
  onScan(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** @param refuse closes the connection, and counts it */
  add(raw: Socket, refuse: () => void): void {
    this.#pending.set(raw, { since: this.#scans, refuse })
    this.#timer ??= setInterval(() => {
      this.#scans++
      for (const listener of this.#listeners) listener()
    }, scanMs).unref()
  }

  /** The connection is served, or gone. */
  delete(raw: Socket): void {
    this.#pending.delete(raw)
    if (this.#pending.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /**
   * Whether a connection is slow.
   * @param since how many scans there had been when its handshake began
   */
  isSlow({ bytesWritten }: Socket, since: number): boolean {
    return isSlow(this.#scans - since, bytesWritten > 0)
  }

  /** Whether there is a slow connection. */
  get hasSlow(): boolean {
    return this.#slowest() !== undefined
  }

  /** Closes the oldest slow connection; false if there is none. */
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
      if (isEarly(this.#scans - since)) return undefined
      if (this.isSlow(raw, since)) return raw
    }
    return undefined
  }
}
