/** Takes connected slots through the handshake of TLS or WebSocket, a batch at a time. */
import { counter, type Meter } from '../../metrics/meter.ts'
import type { LoadTask } from '../../task.ts'
import type { Libc } from '../os/libc.ts'
import type { LinkParts } from './client-links.ts'
import type { Above } from './dial.ts'
import { completionOf, kind, slotOf, type Unanswered } from './entries.ts'
import * as k from './kernel.ts'
import type { LoadLinks } from './load-links.ts'
import { WaitArgument } from './wait-argument.ts'

/** The longest sleep in the kernel: a thread cannot be ended before it wakes. */
const sleepMaxMs = 100

export class Handshaking implements Above {
  readonly slots: LoadLinks
  readonly #parts: LinkParts
  readonly #libc: Libc
  readonly #timeoutMs: number
  /** How long each slot took to connect, and when the handshakes of its batch began. */
  readonly #tookMs = new Map<number, number>()
  #beganMs = 0
  /** The failures of this batch. */
  #failures = new Map<number, Error>()

  constructor(parts: LinkParts, slots: LoadLinks, task: LoadTask, meter: Meter) {
    this.#parts = parts
    this.#libc = parts.libc
    this.#timeoutMs = task.timeoutMs
    this.slots = slots
    this.slots.onShaken = (slot, error) => {
      if (error) {
        this.#failures.set(slot, error)
        return
      }
      const tookMs = performance.now() - this.#beganMs + this.#tookMs.get(slot)!
      meter.histograms.connect.record(tookMs * 1e6)
      meter.counters[counter.opened]!++
      this.#tookMs.delete(slot)
    }
  }

  onConnected(slot: number, tookMs: number): void {
    this.#tookMs.set(slot, tookMs)
  }

  readonly onCompletion = (user0: number, user1: number, result: number, flags: number): void => {
    const slot = slotOf(user0)
    const of = completionOf(user0)
    switch (of) {
      case kind.RECV:
        return this.slots.onRecv(slot, user1, result, flags, 0)
      case kind.SEND:
        return this.slots.onSendFailed(slot, user1, result)
      case kind.REST:
        return this.slots.onSent(slot, user1, result)
      default:
        of satisfies Unanswered | typeof kind.TICK | typeof kind.CONNECT
    }
  }

  make(slots: readonly number[]): Map<number, Error> {
    const { ring } = this.#parts
    const argument = new WaitArgument(this.#libc)
    this.#beganMs = performance.now()
    this.#failures = new Map()
    for (const slot of slots) this.slots.shake(slot)
    const { EXT_ARG, GETEVENTS } = k.enter
    while (this.slots.shaking > 0) {
      this.slots.endTurn()
      const leftMs = this.#beganMs + this.#timeoutMs - performance.now()
      if (leftMs <= 0) this.slots.giveUpHandshakes()
      argument.set(Math.max(0.001, Math.min(leftMs, sleepMaxMs)) * 1e6)
      const count = this.slots.hasDirty ? 0 : 1
      ring.enter(count, GETEVENTS | EXT_ARG, argument.address, WaitArgument.bytes)
      ring.submitAll()
      ring.forEachCompletion(this.onCompletion)
      while (ring.words[ring.sqFlags]! & k.sq.CQ_OVERFLOW) {
        ring.flush()
        ring.forEachCompletion(this.onCompletion)
      }
    }
    argument.close()
    return this.#failures
  }
}
