/** Which connections have buffers of OpenSSL; the buffers of idle connections are given back. */

/** A connection is idle after this many ticks without traffic. */
const restTicks = 20
const state = { NONE: 0, IDLE: 1, USED: 2 } as const

export class Buffers {
  readonly #state: Uint8Array
  readonly #giveBack: (slot: number) => boolean
  /** The slots whose connections have buffers. */
  #slots: number[] = []
  #ticks = 0

  /** @param giveBack whether a connection has no buffers any more */
  constructor(slots: number, giveBack: (slot: number) => boolean) {
    this.#state = new Uint8Array(slots)
    this.#giveBack = giveBack
  }

  noteUse(slot: number): void {
    if (this.#state[slot] === state.NONE) this.#slots.push(slot)
    this.#state[slot] = state.USED
  }

  /** Returns whether any buffers were given back. */
  onTick(): boolean {
    if (++this.#ticks % restTicks !== 0) return false
    const before = this.#slots.length
    this.#slots = this.#slots.filter(slot => {
      const keeps = this.#state[slot] === state.USED || !this.#giveBack(slot)
      this.#state[slot] = keeps ? state.IDLE : state.NONE
      return keeps
    })
    return this.#slots.length < before
  }
}
