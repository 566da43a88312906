/**
 * Finds which of many things is due first: a binary heap of their numbers, with their instants in
 * an array.
 */

export class DueHeap {
  readonly #dueNs: Float64Array
  readonly #heap: number[]

  /**
   * @param dueNs when each thing is due; after a change call delayed() or sort()
   * @param members the numbers in the heap at the beginning
   */
  constructor(dueNs: Float64Array, members: Iterable<number> = []) {
    this.#dueNs = dueNs
    this.#heap = [...members]
    this.sort()
  }

  /** The number of the thing that is due first; undefined if the heap is empty. */
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

  /** To be called when the first thing has become due later. */
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

  /** To be called when any of the instants may have changed. */
  sort(): void {
    this.#heap.sort((a, b) => this.#dueNs[a]! - this.#dueNs[b]!)
  }
}
