/** Which of many is due first: a binary heap of numbers, each with its instant in an array. */

export class DueHeap {
  readonly #dueNs: Float64Array
  readonly #heap: number[]

  /**
   * @param dueNs when each is due; it changes only as the methods say
   * @param members those that are in it from the beginning
   */
  constructor(dueNs: Float64Array, members: Iterable<number> = []) {
    this.#dueNs = dueNs
    this.#heap = [...members]
    this.sort()
  }

  /** The one that is due first; undefined if it is empty. */
  get first(): number | undefined {
    return this.#heap[0]
  }

  get firstNs(): number {
    return this.#heap.length > 0 ? this.#dueNs[this.#heap[0]!]! : Infinity
  }

  add(member: number): void {
    const [heap, dueNs] = [this.#heap, this.#dueNs]
    let place = heap.length
    heap.push(member)
    while (place > 0) {
      const above = (place - 1) >> 1
      if (dueNs[heap[above]!]! <= dueNs[member]!) break
      heap[place] = heap[above]!
      place = above
    }
    heap[place] = member
  }

  removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.delayed()
  }

  /** The first is due later than before. */
  delayed(): void {
    const [heap, dueNs] = [this.#heap, this.#dueNs]
    const top = heap[0]!
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && dueNs[heap[below + 1]!]! < dueNs[heap[below]!]!) below++
      if (dueNs[heap[below]!]! >= dueNs[top]!) break
      heap[place] = heap[below]!
      place = below
    }
    heap[place] = top
  }

  /** Any of the instants may have changed. */
  sort(): void {
    this.#heap.sort((a, b) => this.#dueNs[a]! - this.#dueNs[b]!)
  }
}
