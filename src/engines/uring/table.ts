/** The state of all connections, and when each last moved: a few numbers for each slot. */
import * as bit from './state.ts'

export class SlotTable {
  /** How many connections are open. */
  open = 0
  /** One more than the highest slot that was ever in use. */
  slotsUsed = 0
  /** See state. */
  readonly state: Uint8Array
  readonly generation: Uint16Array
  /** The number of scans when something last moved. */
  readonly #lastMove: Uint32Array
  #scan = 1

  constructor(slots: number) {
    this.state = new Uint8Array(slots)
    this.generation = new Uint16Array(slots)
    this.#lastMove = new Uint32Array(slots)
  }

  onOpened(slot: number): void {
    this.open++
    if (slot >= this.slotsUsed) this.slotsUsed = slot + 1
    this.state[slot] = bit.OPEN
    this.onMoved(slot)
  }

  onMoved(slot: number): void {
    this.#lastMove[slot] = this.#scan
  }

  onClosed(slot: number): void {
    this.open--
    this.state[slot] = 0
    this.generation[slot]!++
  }

  /** Whether the client of a slot was told that the server leaves, or was given up. */
  isTold(slot: number): boolean {
    return (this.state[slot]! & (bit.DEAD | bit.LEAVING)) !== 0
  }

  /**
   * Scans all connections that are served.
   * @param change gets the number of scans since something last moved
   * @param changed called for each connection whose state has changed
   */
  scan(change: (slot: number, still: number) => void, changed: (slot: number) => void): void {
    this.#scan++
    for (let slot = 0; slot < this.slotsUsed; slot++) {
      const before = this.state[slot]!
      if (before === 0 || this.isTold(slot)) continue
      change(slot, this.#scan - this.#lastMove[slot]!)
      if (this.state[slot] !== before) changed(slot)
    }
  }
}
