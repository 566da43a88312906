/**
 * Repeats a question over datagrams until the answer comes, since question and answer may be lost.
 */

const againMs = 200

type OnAnswer = (datagram: Buffer) => boolean

export class RepeatedQuestion {
  readonly #send: (datagram: Buffer) => void
  #answered: OnAnswer | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(send: (datagram: Buffer) => void) {
    this.#send = send
  }

  /**
   * Asks a new question in place of the one before.
   * @param answered gets each datagram that comes, until stop()
   */
  ask(datagram: Buffer, answered: OnAnswer): void {
    this.stop()
    this.#answered = answered
    this.#send(datagram)
    this.#timer = setInterval(() => this.#send(datagram), againMs)
  }

  /** A datagram came. */
  take(datagram: Buffer): void {
    this.#answered?.(datagram)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#answered = undefined
  }
}
