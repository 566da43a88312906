/**
 * Which handshakes are in progress, and for how long. As on the node engine: a handshake has a time
 * limit, and only a limited number are under way at once. A slow client is closed if another one
 * waits for its place.
 */
import { isEarly, isSlow, scanMs, underWayMax } from '../slow-clients.ts'

/**
 * How many handshakes begin in a turn. Each takes up to a millisecond, in which no other client is
 * served.
 */
const perTurnMax = 32

export interface Pending {
  readonly slot: number
  readonly deadlineMs: number
  /** How many scans there had been when the client was accepted, and when its handshake began. */
  readonly since: number
  beganAt: number
  /** Whether the client was answered. */
  answered: boolean
  /** Bytes that came while the client waits for its turn. */
  held: Buffer | undefined
}

/** A client that waits for its handshake can send only its first message. */
const heldMaxBytes = 16_384

/** Keeps bytes of a client that waits. Returns whether they are too many. */
export function hold(pending: Pending, bytes: Uint8Array): boolean {
  pending.held = Buffer.concat([pending.held ?? Buffer.alloc(0), bytes])
  return pending.held.length > heldMaxBytes
}

export class Handshakes {
  readonly #timeoutMs: number
  readonly #refuse: (slot: number) => void
  readonly #someoneWaits: () => boolean
  /** The clients that are not served yet, in the order of arrival. */
  readonly #pending = new Map<number, Pending>()
  /**
   * Handshakes that are under way, in the order in which they began; and those that wait, in order.
   */
  readonly #underWay = new Set<Pending>()
  readonly #queue = new Set<Pending>()
  /** How many handshakes began in this turn. */
  #begun = 0
  #scans = 0
  #nextScanMs = 0

  /**
   * @param refuse closes a connection that has taken too long
   * @param someoneWaits whether a client waits to be accepted
   */
  constructor(timeoutMs: number, refuse: (slot: number) => void, someoneWaits: () => boolean) {
    this.#timeoutMs = timeoutMs
    this.#refuse = refuse
    this.#someoneWaits = someoneWaits
  }

  /** A client was accepted. */
  add(slot: number): void {
    const deadlineMs = performance.now() + this.#timeoutMs
    const since = this.#scans
    const rest = { beganAt: 0, answered: false, held: undefined }
    this.#pending.set(slot, { slot, deadlineMs, since, ...rest })
  }

  of(slot: number): Pending | undefined {
    return this.#pending.get(slot)
  }

  /**
   * The first bytes of a client have come. Returns whether its handshake may begin; otherwise it
   * waits.
   */
  begin(pending: Pending): boolean {
    if (this.#begun >= perTurnMax || this.#underWay.size >= underWayMax) {
      this.#queue.add(pending)
      return false
    }
    this.#begun++
    pending.beganAt = this.#scans
    this.#underWay.add(pending)
    return true
  }

  /** The next waiting client that may begin in this turn. */
  next(): Pending | undefined {
    if (this.#queue.size === 0 || this.#begun >= perTurnMax) return undefined
    if (this.#underWay.size >= underWayMax) return undefined
    const [pending] = this.#queue
    this.#queue.delete(pending!)
    return pending
  }

  /** The slot of a waiting client that may begin in the next turn. */
  get mayBegin(): number | undefined {
    if (this.#queue.size === 0 || this.#underWay.size >= underWayMax) return undefined
    const [pending] = this.#queue
    return pending!.slot
  }

  /** The client was answered, so it may take longer for its next message. */
  onAnswer(slot: number): void {
    const pending = this.#pending.get(slot)
    if (pending) pending.answered = true
  }

  endTurn(): void {
    this.#begun = 0
  }

  /** The connection is served, or gone. */
  delete(slot: number): void {
    const pending = this.#pending.get(slot)
    if (pending === undefined) return
    this.#pending.delete(slot)
    this.#underWay.delete(pending)
    this.#queue.delete(pending)
  }

  /** @param isFull whether no further client is accepted */
  onTick(nowMs: number, isFull: boolean): void {
    for (const { slot, deadlineMs } of this.#pending.values()) {
      if (nowMs < deadlineMs) break
      this.#refuse(slot)
    }
    if (isFull) this.#makeRoom()
    if (nowMs < this.#nextScanMs) return
    this.#nextScanMs = nowMs + scanMs
    this.#scans++
    let waiting = this.#queue.size
    for (const pending of this.#underWay) {
      if (waiting === 0) return
      if (!isSlow(this.#scans - pending.beganAt, pending.answered)) continue
      waiting--
      this.#refuse(pending.slot)
    }
  }

  /** Closes the oldest slow client, if another one waits in the backlog. */
  #makeRoom(): void {
    for (const pending of this.#pending.values()) {
      if (isEarly(this.#scans - pending.since)) return
      if (!isSlow(this.#scans - pending.since, pending.answered)) continue
      if (this.#someoneWaits()) this.#refuse(pending.slot)
      return
    }
  }
}
