/** Datagrams that carry no number: an answer is matched to what was sent by its content. */

export interface SentMessage {
  readonly data: Buffer
  readonly sentAtMs: number
  outcome: 'awaited' | 'back' | 'lost'
}

/** What a received datagram is: an answer in time, a late answer, or a duplicate. */
export interface Arrival {
  sent: SentMessage
  how: 'back' | 'late' | 'again'
}

/**
 * How many datagrams that are back or lost are remembered, to recognize duplicates and late
 * answers.
 */
const decidedMax = 1_024

export class Awaited {
  /** The datagrams that may still come back, in the order of sending. */
  readonly #awaited: SentMessage[] = []
  readonly #decided: SentMessage[] = []
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

  /** When the oldest datagram counts as lost; Infinity if there is none. */
  get nextLostAtMs(): number {
    return (this.#awaited[0]?.sentAtMs ?? Infinity) + this.#timeoutMs
  }

  send(data: Buffer, nowMs: number): SentMessage {
    const sent: SentMessage = { data, sentAtMs: nowMs, outcome: 'awaited' }
    this.#awaited.push(sent)
    this.sentCount++
    this.sentBytes += data.length
    return sent
  }

  /** Finds the oldest datagram with this content; undefined if no such datagram was sent. */
  arrived(data: Buffer): Arrival | undefined {
    const place = this.#awaited.findIndex(sent => sent.data.equals(data))
    if (place !== -1) {
      this.backCount++
      return { sent: this.#decide(place, 'back'), how: 'back' }
    }
    const alike = this.#decided.filter(sent => sent.data.equals(data))
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

  /** Removes and returns the datagrams that have timed out, and so are lost. */
  expire(nowMs: number): SentMessage[] {
    const lost: SentMessage[] = []
    while (nowMs >= this.nextLostAtMs) {
      const sent = this.#decide(0, 'lost')
      this.lostCount++
      this.lostBytes += sent.data.length
      lost.push(sent)
    }
    return lost
  }

  #decide(place: number, outcome: 'back' | 'lost'): SentMessage {
    const [sent] = this.#awaited.splice(place, 1) as [SentMessage]
    sent.outcome = outcome
    this.#decided.push(sent)
    if (this.#decided.length > decidedMax) this.#decided.shift()
    return sent
  }
}
