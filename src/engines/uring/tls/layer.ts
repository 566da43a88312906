/** TLS below the echo (RFC 8446, RFC 5246): OpenSSL makes the records, and the ring moves them. */
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { failureName } from '../../failures.ts'
import { partingOf, type Parting } from '../../leave.ts'
import type { Libc } from '../../os/libc.ts'
import type { OpenSsl } from '../../os/openssl.ts'
import type { BufferRing } from '../memory.ts'
import type { Layer, SendMemory, Wire } from '../layer.ts'
import { Buffers } from './openssl-buffers.ts'
import { serverContext, type Context } from './context.ts'
import { Handshakes, hold } from '../handshakes.ts'
import { Outbox } from '../outbox.ts'
import { phase, stages } from './phase.ts'
import { Records, stop } from './records.ts'
import { WireInside } from './wire-inside.ts'

export class TlsLayer implements Layer {
  readonly source: Outbox
  readonly #ssl: OpenSsl
  readonly #bufferRing: BufferRing
  readonly #context: Context
  readonly #records: Records
  readonly #handshakes: Handshakes
  readonly #counters: Float64Array
  readonly #received: Float64Array | undefined
  /** The SSL object of OpenSSL for each slot; 0: none. */
  readonly #connections: Float64Array
  readonly #phase: Uint8Array
  readonly #buffers: Buffers
  /** The protocol in the records (ws); undefined: their content is echoed as it is. */
  readonly #inside: Layer | undefined
  readonly #wireInside: WireInside | undefined
  #couldWrite = true
  wire!: Wire

  /**
   * @param received counts for the ledger, by slot
   * @param someoneWaits whether a client waits to be accepted
   * @param inside makes the layer of the protocol in the records: its source has their content
   */
  constructor(
    { ssl, libc, bufferRing }: { ssl: OpenSsl; libc: Libc; bufferRing: BufferRing },
    task: ServeTask,
    meter: Meter,
    slots: number,
    received: Float64Array | undefined,
    someoneWaits: () => boolean,
    inside?: (source: SendMemory) => Layer,
  ) {
    this.#ssl = ssl
    this.#bufferRing = bufferRing
    // Any protocol is echoed, so the first offer is selected.
    this.#context = serverContext(ssl, task.tls!, offered => offered[0])
    this.#records = new Records(ssl, libc)
    this.source = new Outbox(libc)
    const { plain, plainBytes } = this.#records
    this.#inside = inside?.({ address: plain.address, bytes: plainBytes })
    if (this.#inside) {
      this.#wireInside = new WireInside(libc, plain.address, this.#writeInside, () => this.wire)
      this.#inside.wire = this.#wireInside
    }
    this.#counters = meter.counters
    this.#received = received
    this.#connections = new Float64Array(slots)
    this.#phase = new Uint8Array(slots)
    this.#buffers = new Buffers(slots, slot => this.#restsBuffers(slot))
    const late = (slot: number) => {
      this.#countFailure(slot, 'timedOut')
      this.wire.refuse(slot, 'timedOut')
    }
    this.#handshakes = new Handshakes(task.handshakeTimeoutMs, late, someoneWaits)
  }

  opened(slot: number): void {
    this.#handshakes.add(slot)
    this.#inside?.opened(slot)
  }

  received(slot: number, at: number, length: number, discards: boolean): void {
    if (this.#phase[slot] === phase.BROKEN) return
    if (this.#connections[slot] === 0) {
      const pending = this.#handshakes.of(slot)!
      if (pending.held !== undefined || !this.#handshakes.begin(pending)) {
        const isTooMuch = hold(pending, this.#bufferRing.bytes.subarray(at, at + length))
        return isTooMuch ? this.#end(slot, 'protocol') : undefined
      }
      if (!this.#begin(slot)) return
    }
    this.#records.put(this.#bufferRing.address + at, length)
    this.#read(slot, discards)
  }

  /** Returns false if there is no memory. */
  #begin(slot: number): boolean {
    const connection = this.#records.open(this.#context.pointer)
    if (connection === 0) {
      this.#end(slot, 'other')
      return false
    }
    this.#ssl.SSL_set_accept_state(connection)
    this.#connections[slot] = connection
    this.#phase[slot] = phase.HANDSHAKE
    return true
  }

  /** Reads the content of the records, and echoes it. */
  #read(slot: number, discards: boolean): void {
    const records = this.#records
    const connection = this.#connections[slot]!
    do {
      const isOpen = this.#phase[slot] !== phase.HANDSHAKE
      const length = records.read(connection, isOpen)
      if (!isOpen && (length > 0 || records.isOpen(connection))) this.#onOpen(slot)
      if (length > 0 && !this.#answer(slot, connection, length, discards))
        return this.#onFailure(slot, connection)
      if (records.stop === stop.MORE) this.#send(slot)
    } while (records.stop === stop.MORE)
    if (records.failed) return this.#onFailure(slot, connection)
    // Always sends: no record of this connection may be left in the BIO for the next one.
    this.#send(slot)
    if (records.stop === stop.END) this.#onEnd(slot)
  }

  /** Answers decrypted bytes. Returns whether the answer could be encrypted. */
  #answer(slot: number, connection: number, length: number, discards: boolean): boolean {
    const counters = this.#counters
    if (this.#phase[slot] !== phase.OPEN || (discards && !this.#inside)) {
      counters[counter.bytesDiscarded]! += length
      return true
    }
    if (this.#inside) {
      this.#couldWrite = true
      this.#inside.received(slot, 0, length, discards)
      return this.#couldWrite
    }
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += length
    if (this.#received !== undefined) this.#received[slot]! += length
    if (!this.#records.write(connection, this.#records.plain.address, length)) return false
    counters[counter.bytesOut]! += length
    this.#buffers.noteUse(slot)
    return true
  }

  /** @param isLast whether the records are sent now, since nothing else follows */
  readonly #writeInside = (slot: number, address: number, length: number, isLast: boolean) => {
    if (this.#phase[slot] !== phase.OPEN) return
    if (!this.#records.write(this.#connections[slot]!, address, length)) this.#couldWrite = false
    this.#buffers.noteUse(slot)
    if (isLast) this.#send(slot)
  }

  /** Sends the records that were made. */
  #send(slot: number): void {
    const { source } = this
    for (;;) {
      const { at, room, stays } = source
      const length = this.#records.take(source.address + at, room)
      if (length === 0) return
      if (this.#phase[slot] === phase.HANDSHAKE) this.#handshakes.onAnswer(slot)
      if (stays) source.use(length)
      this.wire.send(slot, at, length, stays)
      if (length < room) return
    }
  }

  #onOpen(slot: number): void {
    this.#phase[slot] = phase.OPEN
    this.#handshakes.delete(slot)
    this.#buffers.noteUse(slot)
    // A server that leaves may have waited for this.
    this.wire.later(slot)
  }

  /** The peer has sent close_notify; later bytes are ignored. */
  #onEnd(slot: number): void {
    if (this.#phase[slot] === phase.HANDSHAKE) return this.#end(slot, 'closedEarly')
    this.#inside?.ended(slot)
    this.#sayEnd(slot)
    this.wire.end(slot)
  }

  /** Sends close_notify, unless it was sent. */
  #sayEnd(slot: number): void {
    if (this.#phase[slot] !== phase.OPEN) return
    this.#records.sayEnd(this.#connections[slot]!)
    this.#phase[slot] = phase.ENDING
    this.#send(slot)
  }

  /** The connection has failed. The alert with the reason is still sent. */
  #onFailure(slot: number, connection: number): void {
    const name = failureName(this.#records.failure(connection))
    this.#send(slot)
    this.#end(slot, name)
  }

  #end(slot: number, name: FailureName): void {
    this.#countFailure(slot, name)
    this.#phase[slot] = phase.BROKEN
    this.#inside?.broke(slot)
    this.wire.end(slot, name)
  }

  #countFailure(slot: number, name: FailureName): void {
    this.#countUnfinished(slot)
    this.#counters[counter[name]]!++
  }

  #countUnfinished(slot: number): void {
    if (this.#handshakes.of(slot) === undefined) return
    this.#counters[counter.handshakesFailed]!++
    this.#handshakes.delete(slot)
    // The protocol in the records (ws) may wait for its own handshake, which has failed, too.
    this.#inside?.broke(slot)
  }

  ended(slot: number): void {
    const pending = this.#handshakes.of(slot)
    // A probe that connects and sends nothing is not a failure.
    const isBegun = this.#phase[slot] === phase.HANDSHAKE || pending?.held !== undefined
    if (isBegun) this.#countFailure(slot, 'closedEarly')
    if (this.#phase[slot] === phase.OPEN) this.#inside?.ended(slot)
    this.#sayEnd(slot)
  }

  broke(slot: number): void {
    if (this.#phase[slot] === phase.HANDSHAKE) this.#countUnfinished(slot)
    this.#phase[slot] = phase.BROKEN
    this.#inside?.broke(slot)
  }

  sayEnd(slot: number): Exclude<Parting, 'announce'> {
    const parting = partingOf(stages[this.#phase[slot]!]!, 'tls')
    if (parting !== 'announce') return parting
    // The protocol in the records comes first.
    const ofInside = this.#inside?.sayEnd(slot) ?? 'end'
    if (ofInside !== 'end') return ofInside
    this.#sayEnd(slot)
    this.wire.later(slot)
    return 'later'
  }

  closed(slot: number): void {
    this.#handshakes.delete(slot)
    this.#inside?.closed(slot)
    this.#phase[slot] = phase.SILENT
    const connection = this.#connections[slot]!
    if (connection === 0) return
    this.#connections[slot] = 0
    this.#records.free(connection)
  }

  endTurn(): void {
    this.source.endTurn()
    this.#inside?.endTurn()
    const handshakes = this.#handshakes
    handshakes.endTurn()
    for (let next; (next = handshakes.next()) !== undefined;) {
      const { slot, held } = next
      next.held = undefined
      handshakes.begin(next)
      if (!this.#begin(slot)) continue
      this.#records.putBytes(held!)
      this.#read(slot, false)
    }
    // Another handshake may begin in the next turn, so the next turn must not wait for completions.
    if (handshakes.mayBegin !== undefined) this.wire.later(handshakes.mayBegin)
  }

  onTick(nowMs: number, isFull: boolean): boolean {
    this.#handshakes.onTick(nowMs, isFull)
    this.#inside?.onTick(nowMs, isFull)
    return this.#buffers.onTick()
  }

  /** Gives the buffers of an idle connection back. Returns whether it has none now. */
  #restsBuffers(slot: number): boolean {
    const connection = this.#connections[slot]!
    if (connection === 0) return true
    return this.#phase[slot] !== phase.HANDSHAKE && this.#records.rest(connection)
  }

  close(): void {
    for (const [slot, connection] of this.#connections.entries())
      if (connection !== 0) this.closed(slot)
    this.#inside?.close()
    this.#wireInside?.close()
    this.#records.close()
    this.source.close()
    this.#context.close()
  }
}
