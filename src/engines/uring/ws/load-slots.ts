/** The connections of a load over WebSocket: each message is a frame, and so is each echo. */
import type { HostAddress } from '../../../vocabulary/address.ts'
import { formatAddress } from '../../../vocabulary/address.ts'
import { ClosedError, ProtocolError } from '../../../vocabulary/peer-errors.ts'
import type { Stream } from '../../../load/stream.ts'
import type { Traffic } from '../../../load/traffic.ts'
import type { Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { headersOf, type Header } from '../../../wire/http/headers.ts'
import {
  askUpgrade,
  readUpgrade,
  upgradeCut,
  upgradeLate,
  type Asked,
} from '../../../wire/ws/client-upgrade.ts'
import { found, WsFrameReader } from '../../../wire/ws/frame-reader.ts'
import {
  headerMaxBytes,
  newMask,
  opcode,
  putFrame,
  putHeader,
  putMask,
} from '../../../wire/ws/frames.ts'
import { copyMasked, Memory, rotated } from '../../../wire/ws/mask.ts'
import { linkPhase, type LinkParts } from '../client-links.ts'
import type { LinkStream } from '../link-stream.ts'
import { LoadLinks } from '../load-links.ts'
import * as bit from '../state.ts'

/** The longest message, so that a server cannot fill the memory. */
const messageMaxBytes = 2 ** 30
/** Codes of a close frame that end a stream normally, as FIN does; 1005: the frame has no code. */
const ends = [1000, 1001, 1005]
const pieceMaxBytes = 65_536

interface WsSlot {
  asked: Asked
  /** The beginning of the answer to the upgrade, if it is not complete. */
  held: Buffer
  reader: WsFrameReader
  /** How many messages were begun, where in the stream the last one ends, and its mask there. */
  begun: number
  endBytes: number
  mask: number
  /** The payload of the newest ping, if it is not answered yet. */
  pinged: Buffer | undefined
}

const goodbye = Buffer.of(1000 >> 8, 1000 & 0xff)
const nothing = Buffer.alloc(0)

/** The memory of frames, if it is not that of the ring (with TLS). */
export interface FrameMemory {
  incoming: Uint8Array
  outgoing: Uint8Array
}

export class WsLoadSlots extends LoadLinks {
  readonly #address: HostAddress
  readonly #headers: readonly Header[]
  readonly #links: (WsSlot | undefined)[] = []
  readonly #incoming: Memory
  readonly #incomingBytes: Buffer
  readonly #outgoing: Memory
  readonly #outgoingBytes: Buffer
  #table: Memory | undefined
  /** The reader whose message is being given to a stream. */
  #reader: WsFrameReader | undefined

  constructor(parts: LinkParts, task: LoadTask, meter: Meter, memory?: FrameMemory) {
    super(parts, meter)
    this.#address = task.address as HostAddress
    this.#headers = headersOf(task.calling)
    const incoming = memory?.incoming ?? parts.input.bufferRing.bytes
    const outgoing = memory?.outgoing ?? this.outbox.bytes
    this.#incoming = new Memory(incoming)
    this.#incomingBytes = bufferOf(incoming)
    this.#outgoing = new Memory(outgoing)
    this.#outgoingBytes = bufferOf(outgoing)
  }

  protected late(_slot: number): Error {
    return upgradeLate()
  }

  protected cut(_slot: number): Error {
    return upgradeCut(formatAddress(this.#address))
  }

  /** Where the next outgoing bytes are put, and how much room is there. */
  protected get place(): { at: number; room: number } {
    return this.outbox
  }

  /** Sends bytes that lie in other memory. */
  protected sendBytes(slot: number, bytes: Uint8Array): void {
    this.out.sendBytes(slot, bytes)
  }

  /** Sends bytes that were put at that place. */
  protected sendFrom(slot: number, at: number, length: number): void {
    const { stays } = this.outbox
    if (stays) this.outbox.use(length)
    this.out.send(slot, at, length, stays)
  }

  protected greet(slot: number): void {
    const asked = askUpgrade(this.#address, this.#headers)
    const reader = new WsFrameReader(false, messageMaxBytes)
    const sent = { begun: 0, endBytes: 0, mask: 0, pinged: undefined }
    this.#links[slot] = { asked, held: nothing, reader, ...sent }
    this.sendBytes(slot, Buffer.from(asked.request, 'latin1'))
  }

  protected came(slot: number, at: number, length: number, now: number): void {
    const link = this.#links[slot]!
    const to = at + length
    if (this.phase[slot] !== linkPhase.HANDSHAKE) return this.#read(slot, link, at, to, now)
    const all = Buffer.concat([link.held, this.#incomingBytes.subarray(at, to)])
    let head: number
    try {
      head = readUpgrade(all, link.asked, this.#address)
    } catch (error) {
      return this.fail(slot, error as Error)
    }
    link.held = head === 0 ? all : nothing
    if (head === 0) return
    this.opened(slot)
    this.#read(slot, link, to - (all.length - head), to, now)
  }

  #read(slot: number, link: WsSlot, from: number, to: number, now: number): void {
    const { reader } = link
    reader.give(this.#incoming, from, to)
    for (let what; (what = reader.next()) !== found.NONE;) {
      this.#reader = reader
      if (what === found.MESSAGE) {
        if (!this.arrived(slot, now)) return
      } else if (what === found.PING) {
        link.pinged = payloadOf(reader)
        this.#sendPong(slot, link)
      } else if (what === found.CLOSE) return this.#onClose(slot, reader)
      else if (what === found.FAILURE)
        return this.fail(slot, new ProtocolError(`a frame breaks the rules (${reader.code})`))
    }
  }

  protected give(stream: LinkStream, now: number): boolean {
    const { bytes, at, length } = this.#reader!
    return stream.arrivedMessage(bytes, at, length, now, this.cameNs)
  }

  #onClose(slot: number, reader: WsFrameReader): void {
    const { code } = reader
    const payload = payloadOf(reader)
    if (this.phase[slot] === linkPhase.OPEN) this.#sendControl(slot, opcode.close, payload)
    if (ends.includes(code)) return this.end(slot)
    const reason = payload.toString('utf8', 2)
    const why = reason === '' ? '' : `: ${reason}`
    this.fail(slot, new ClosedError(`closed with ${code}${why}`))
  }

  /**
   * Answers the newest ping; older ones need no answer (RFC 6455 section 5.5.3). The pong waits
   * while a part of a message is still to be sent, since a frame may not be cut. It also waits
   * while the socket has no room: the pongs for a server that reads nothing would fill the memory.
   */
  #sendPong(slot: number, link: WsSlot): void {
    if (link.pinged === undefined || this.phase[slot] !== linkPhase.OPEN) return
    if (this.submitted[slot] !== link.endBytes || this.table.state[slot]! & bit.WAITING) return
    this.#sendControl(slot, opcode.pong, link.pinged)
    link.pinged = undefined
  }

  protected override onSentAll(slot: number): void {
    const link = this.#links[slot]
    if (link) this.#sendPong(slot, link)
    super.onSentAll(slot)
  }

  #sendControl(slot: number, code: number, payload: Uint8Array): void {
    const { at } = this.place
    const end = putFrame(this.#outgoingBytes, at, code, payload, true)
    this.sendFrom(slot, at, end - at)
  }

  protected submit(slot: number, stream: LinkStream, traffic: Traffic, most: number): void {
    const { payload, sizes } = traffic
    const { at, room } = this.place
    const { bytes } = this.#outgoing
    const link = this.#links[slot]!
    const offset = this.submitted[slot]!
    let to = at
    if (offset === link.endBytes) {
      const size = sizes.fixedBytes || sizes.of(stream.connection, link.begun)
      link.begun++
      link.endBytes += size
      link.mask = newMask()
      to = putMask(bytes, putHeader(bytes, at, opcode.binary, size, true), link.mask)
    }
    const length = Math.min(
      link.endBytes - offset,
      payload.pieceBytes(offset),
      pieceMaxBytes,
      room - headerMaxBytes,
      most,
    )
    this.#table ??= new Memory(payload.table)
    const from = payload.at(stream.connection, offset)
    copyMasked(this.#table, from, this.#outgoing, to, length, link.mask)
    link.mask = rotated(link.mask, length)
    this.submitted[slot] = offset + length
    this.sendFrom(slot, at, to + length - at)
    this.#sendPong(slot, link)
  }

  protected sayEnd(slot: number): void {
    this.#sendControl(slot, opcode.close, goodbye)
  }

  /** The server answers with a close frame of its own, and FIN. */
  protected override onSaid(): void {}

  protected override carry(slot: number, stream: Stream): void {
    const link = this.#links[slot]!
    link.begun = stream.issued
    link.endBytes = stream.issuedBytes
  }

  protected forget(slot: number): void {
    this.#links[slot] = undefined
  }
}

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, length)

/** A copy: what was found lies there only until the next call. */
const payloadOf = ({ bytes, at, length }: WsFrameReader): Buffer =>
  Buffer.from(bytes.subarray(at, at + length))
