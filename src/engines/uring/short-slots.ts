/** Short connections of a load (churn) on its ring: each takes a free slot, and gives it back. */
import { Churn, openMax, type Short, type ShortDialler } from '../../load/churn.ts'
import { ShortMessage } from '../../load/short-message.ts'
import type { Traffic } from '../../load/traffic.ts'
import { counter } from '../../metrics/meter.ts'
import type { LoadTask } from '../../task.ts'
import { failureName, reasonWhy } from '../failures.ts'
import { descriptorLimit } from '../os/descriptors.ts'
import type { Caller, RunningDials } from './running-dials.ts'
import type { LinkStream } from './link-stream.ts'
import type { LoadLinks } from './load-links.ts'

/** Slots of connections that are closed, and whose FIN is still on its way. */
const spareSlots = 256
/** How often to look for timeouts. */
const lookNs = 50e6

/** How many slots there are for short connections, after those of the `steady` ones. */
export const shortSlotsFor = (task: LoadTask, steady: number): number =>
  task.churn ? Math.max(1, Math.min(openMax + spareSlots, descriptorLimit() - steady)) : 0

/** The only message of a short connection. */
class ShortStream extends ShortMessage implements LinkStream {
  failed = false

  /** Nothing to issue: the message is issued from the beginning. */
  issue(): number {
    return 0
  }

  /** Does nothing: no figure counts sent bytes of short connections. */
  onSent(): void {}

  arrivedMessage(bytes: Uint8Array, from: number, length: number): boolean {
    return this.arrived(bytes, from, length)
  }
}

/** A short connection that is connected. */
interface Open {
  readonly short: Short
  readonly stream: ShortStream
  deadlineNs: number
  /**
   * Whether the message has come back. Then the other side has to close, within the same time
   * limit.
   */
  isEnding: boolean
  /** Whether the deadline has passed, and what came meanwhile is being read. */
  isLate: boolean
}

export class ShortSlots implements ShortDialler, Caller {
  readonly churn: Churn
  readonly #timeoutNs: number
  readonly #traffic: Traffic
  readonly #links: LoadLinks
  readonly #dials: RunningDials
  readonly #free: number[]
  /** Short connections that have begun, but have no slot yet. */
  #queue: Short[] = []
  readonly #dialling = new Map<number, Short>()
  readonly #open = new Map<number, Open>()
  /** Slots that will be free once their FIN is sent. */
  readonly #finishing = new Set<number>()
  #lookNs = 0
  #isAbandoned = false

  /** @param slots the first slot for short connections, and how many there are */
  constructor(
    task: LoadTask,
    traffic: Traffic,
    links: LoadLinks,
    dials: RunningDials,
    slots: { first: number; count: number },
  ) {
    this.#timeoutNs = task.timeoutMs * 1e6
    this.#traffic = traffic
    this.#links = links
    this.#dials = dials
    this.#free = Array.from({ length: slots.count }, (_, n) => slots.first + n).toReversed()
    this.churn = new Churn(traffic, this)
  }

  begin(short: Short): void {
    this.#queue.push(short)
  }

  /** Dials short connections that have begun, and gives up those that take too long. */
  turn(now: number): void {
    const [queue, free, dials] = [this.#queue, this.#free, this.#dials]
    let count = 0
    while (count < queue.length && free.length > 0 && dials.hasRoom && dials.isReady(now)) {
      const short = queue[count++]!
      const slot = free.pop()!
      this.#dialling.set(slot, short)
      dials.dial(slot, short.number, this, now)
    }
    if (count > 0) queue.splice(0, count)
    if (now >= this.#lookNs) this.#look(now)
  }

  #look(now: number): void {
    this.#lookNs = now + lookNs
    for (const [slot, open] of this.#open) {
      if (open.stream.done && !open.isEnding) {
        open.isEnding = true
        open.isLate = false
        open.deadlineNs = now + this.#timeoutNs
      }
      if (now < open.deadlineNs) continue
      if (open.isLate) {
        open.stream.fail(counter.timedOut)
        this.#links.closeShort(slot)
      }
      open.isLate = true
    }
  }

  opened(slot: number, _beganNs: number, now: number): void {
    const short = this.#dialling.get(slot)!
    this.#dialling.delete(slot)
    this.churn.connected(short)
    const stream = new ShortStream(this.#traffic, short.connection)
    const deadlineNs = now + this.#timeoutNs
    this.#open.set(slot, { short, stream, deadlineNs, isEnding: false, isLate: false })
    this.#links.carryShort(slot, stream, this.#onClosed)
  }

  failed(slot: number, error: Error): void {
    const short = this.#dialling.get(slot)!
    const name = failureName(error)
    this.#traffic.evidence.noteReason(name, reasonWhy(error))
    this.#dialling.delete(slot)
    this.#free.push(slot)
    this.churn.ended(short, name)
  }

  readonly #onClosed = (slot: number): void => {
    const { short, stream } = this.#open.get(slot)!
    this.#open.delete(slot)
    this.churn.ended(short, this.#isAbandoned ? undefined : stream.closed())
    if (this.#links.isFinishing(slot)) this.#finishing.add(slot)
    else this.#free.push(slot)
  }

  /** The system has sent the FIN of a slot. */
  onFinished(slot: number): void {
    this.#links.onFinished(slot)
    if (this.#finishing.delete(slot)) this.#free.push(slot)
  }

  abandon(): void {
    this.#isAbandoned = true
    for (const short of this.#queue) this.churn.ended(short)
    this.#queue = []
    for (const [slot, short] of this.#dialling) {
      this.#dials.cancel(slot)
      this.churn.ended(short)
    }
    this.#dialling.clear()
    for (const slot of this.#open.keys()) this.#links.closeShort(slot)
  }
}
