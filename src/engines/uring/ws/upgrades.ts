/**
 * Connections that are not upgraded yet: the received parts of their requests, and their time
 * limits.
 */
import { counter, type FailureName } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import {
  acceptance,
  headMaxBytes,
  mayBeRequest,
  noHttp,
  parseRequest,
  upgradeRefusalOf,
  refusalText,
  tooLarge,
  type UpgradeRefusal,
} from '../../../wire/ws/upgrade.ts'
import { Handshakes } from '../handshakes.ts'

/** The answer to a request, and where the bytes after the request lie in the source. */
export interface UpgradeAnswer {
  isAccepted: boolean
  bytes: Buffer
  restAt: number
}

const headEnd = '\r\n\r\n'

export class Upgrades {
  readonly #bytes: Buffer
  readonly #origins: readonly string[] | undefined
  readonly #counters: Float64Array
  readonly #handshakes: Handshakes

  /**
   * @param source memory in which the bytes come
   * @param someoneWaits whether a client waits to be accepted
   * @param close closes a connection that has taken too long
   */
  constructor(
    source: Uint8Array,
    task: ServeTask,
    counters: Float64Array,
    someoneWaits: () => boolean,
    close: (slot: number) => void,
  ) {
    this.#bytes = Buffer.from(source.buffer, source.byteOffset, source.length)
    this.#origins = task.web.origins
    this.#counters = counters
    const late = (slot: number) => {
      this.#countFailure(slot, 'timedOut')
      close(slot)
    }
    this.#handshakes = new Handshakes(task.handshakeTimeoutMs, late, someoneWaits)
  }

  add(slot: number): void {
    this.#handshakes.add(slot)
  }

  /** Bytes of a request came. Returns the answer; undefined if the request is not complete. */
  received(slot: number, at: number, length: number): UpgradeAnswer | undefined {
    const pending = this.#handshakes.of(slot)!
    const came = this.#bytes.subarray(at, at + length)
    const held = pending.held?.length ?? 0
    const all = pending.held === undefined ? came : Buffer.concat([pending.held, came])
    const end = all.indexOf(headEnd, Math.max(0, held - headEnd.length + 1))
    if ((end === -1 ? all.length : end) > headMaxBytes) return this.#refuse(slot, tooLarge)
    const text = all.toString('latin1', 0, end === -1 ? all.length : end)
    if (!mayBeRequest(text, held)) return this.#refuse(slot, noHttp)
    if (end !== -1) return this.#answer(slot, text, at + end + headEnd.length - held)
    pending.held = Buffer.from(all)
    return undefined
  }

  #answer(slot: number, text: string, restAt: number): UpgradeAnswer {
    const request = parseRequest(text)
    if (Array.isArray(request)) return this.#refuse(slot, request, !text.startsWith('HEAD '))
    const refusal = upgradeRefusalOf(request, this.#origins)
    const answer = refusal ?? acceptance(request)
    if (typeof answer !== 'string') return this.#refuse(slot, answer)
    this.#handshakes.delete(slot)
    return { isAccepted: true, bytes: Buffer.from(answer), restAt }
  }

  #refuse(slot: number, refusal: UpgradeRefusal, hasBody = true): UpgradeAnswer {
    this.#counters[counter.upgradesRefused]!++
    this.#countFailure(slot, 'protocol')
    return { isAccepted: false, bytes: Buffer.from(refusalText(refusal, hasBody)), restAt: 0 }
  }

  #countFailure(slot: number, name: FailureName): void {
    this.#counters[counter.handshakesFailed]!++
    this.#counters[counter[name]]!++
    this.#handshakes.delete(slot)
  }

  /** The client has sent FIN. Returns the answer to a request that was cut off. */
  ended(slot: number): Buffer | undefined {
    // A probe that connects and sends nothing is not a failure.
    if (this.#handshakes.of(slot)?.held === undefined) return undefined
    return this.#refuse(slot, noHttp).bytes
  }

  /** The connection broke. */
  broke(slot: number): void {
    if (this.#handshakes.of(slot)?.held !== undefined) this.#counters[counter.handshakesFailed]!++
    this.#handshakes.delete(slot)
  }

  delete(slot: number): void {
    this.#handshakes.delete(slot)
  }

  onTick(nowMs: number, isFull: boolean): void {
    this.#handshakes.onTick(nowMs, isFull)
  }
}
