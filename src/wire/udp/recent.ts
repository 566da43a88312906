/** A table of recent keys: it forgets the others, so it is bounded. */

/** Two generations: a key that is not used while the young one fills is forgotten. */
export class Recent<T> {
  /** Grows whenever a generation is forgotten. */
  turnovers = 0
  readonly #max: number
  readonly #forget: ((value: T) => void) | undefined
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  /** @param max the size of a generation; the table never holds more than twice as many */
  constructor(max: number, forget?: (value: T) => void) {
    this.#max = max
    this.#forget = forget
  }

  get(key: string): T | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#old.delete(key)
    this.set(key, old)
    return old
  }

  set(key: string, value: T): void {
    if (this.#young.size >= this.#max) {
      if (this.#forget) for (const forgotten of this.#old.values()) this.#forget(forgotten)
      this.#old = this.#young
      this.#young = new Map()
      this.turnovers++
    }
    this.#young.set(key, value)
  }

  *values(): IterableIterator<T> {
    yield* this.#young.values()
    yield* this.#old.values()
  }
}
