/** The connections that a question has open at once: never more than --max-connections. */
import type { Duplex } from 'node:stream'
import { UserError } from '../vocabulary/errors.ts'
import { plural } from '../vocabulary/units.ts'

export class Room {
  readonly #most: number
  readonly #waitMs: number
  #taken = 0
  readonly #waiting = new Set<() => void>()

  /** @param waitMs how long to wait for a connection that is being closed */
  constructor(most: number, waitMs: number) {
    this.#most = most
    this.#waitMs = waitMs
  }

  /**
   * Opens one more connection. Until `closed` resolves, it takes room.
   * @throws UserError if there is no room
   */
  async take<T>(open: () => Promise<T>, closed: (opened: T) => Promise<unknown>): Promise<T> {
    const endMs = performance.now() + this.#waitMs
    while (this.#taken >= this.#most) await this.#freed(endMs - performance.now())
    this.#taken++
    try {
      const opened = await open()
      void closed(opened).then(() => this.#free())
      return opened
    } catch (error) {
      this.#free()
      throw error
    }
  }

  #free() {
    this.#taken--
    for (const settle of this.#waiting) settle()
  }

  #freed(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        resolve()
      }
      const timer = setTimeout(
        () => {
          this.#waiting.delete(settle)
          const most = plural(this.#most, 'connection')
          reject(new UserError('usage', `It needs more than --max-connections allows: ${most}.`))
        },
        Math.max(0, ms),
      )
      this.#waiting.add(settle)
    })
  }
}

/** Resolves when the stream is closed. */
export const closing = (stream: Duplex): Promise<unknown> =>
  stream.closed ? Promise.resolve() : new Promise(resolve => stream.once('close', resolve))
