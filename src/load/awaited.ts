/** Datagrams that were sent and have no mark of their own: known again by their content. */

export interface Sent {
  readonly data: Buffer
  readonly sentAtMs: number
  outcome: 'awaited' | 'back' | 'lost'
}

/** What a datagram is that came: the answer in time, after its time, once more. */
export interface Arrival {
  sent: Sent
  how: 'back' | 'late' | 'again'
}

/** So many that are settled are remembered, for what comes late or again. */
const settledMax = 1_024

export class Awaited {
  /** In the order of sending. */
  readonly #awaited: Sent[] = []
  readonly #settled: Sent[] = []
  readonly #timeoutMs: number
  sentCount = 0
  sentBytes = 0
  backCount = 0
  lostCount = 0
  lostBytes = 0
  lateCount = 0
  againCount = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  get count(): number {
    return this.#awaited.length
  }

  /** When the oldest one is lost; Infinity if there is none. */
  get nextLostAtMs(): number {
    return (this.#awaited[0]?.sentAtMs ?? Infinity) + this.#timeoutMs
  }

  send(data: Buffer, nowMs: number): Sent {
    const sent: Sent = { data, sentAtMs: nowMs, outcome: 'awaited' }
    this.#awaited.push(sent)
    this.sentCount++
    this.sentBytes += data.length
    return sent
  }

  /** Which one it is, of those alike the oldest; undefined if no such datagram was sent. */
  arrived(data: Buffer): Arrival | undefined {
    const place = this.#awaited.findIndex(sent => sent.data.equals(data))
    if (place !== -1) {
      this.backCount++
      return { sent: this.#settle(place, 'back'), how: 'back' }
    }
    const alike = this.#settled.filter(sent => sent.data.equals(data))
    const lost = alike.find(({ outcome }) => outcome === 'lost')
    if (lost) {
      lost.outcome = 'back'
      this.lateCount++
      return { sent: lost, how: 'late' }
    }
    if (alike.length === 0) return undefined
    this.againCount++
    return { sent: alike.at(-1)!, how: 'again' }
  }

  /** Gives up those whose time is over. */
  expire(nowMs: number): Sent[] {
    const lost: Sent[] = []
    while (nowMs >= this.nextLostAtMs) {
      const sent = this.#settle(0, 'lost')
      this.lostCount++
      this.lostBytes += sent.data.length
      lost.push(sent)
    }
    return lost
  }

  #settle(place: number, outcome: 'back' | 'lost'): Sent {
    const [sent] = this.#awaited.splice(place, 1) as [Sent]
    sent.outcome = outcome
    this.#settled.push(sent)
    if (this.#settled.length > settledMax) this.#settled.shift()
    return sent
  }
}
