/**
 * One thread's share of a load of datagrams, without its sockets: what is due when, which echo is
 * whose, and what became of the others. The header of each datagram identifies it.
 */
import { counter, type Meter } from '../metrics/meter.ts'
import { DatagramStream } from './datagram-stream.ts'
import type { Mover } from './mover.ts'
import { createPayload, loopMaxBytes, type Payload } from './payload.ts'
import type { ThreadLoad } from './thread-load.ts'
import { mix } from '../vocabulary/random.ts'
import { createSizes, type Sizes } from './sizes.ts'
import { nowNs } from '../vocabulary/clock.ts'
import { Timetable } from './timetable.ts'
import type { WrongBytes } from './wrong-bytes.ts'

/** What a datagram begins with: five numbers of 32 bits, the lowest byte first. */
export const headerBytes = 20
const magic = 0x6c646f79

/** The distance in the payload between the beginnings of two successive messages. */
const strideBytes = 2 ** 16
/** The most lost messages that are remembered in case that they come later. */
const lostMax = 100_000
/** After its timeout a message is awaited for the same time again, but at least for this long. */
const lateLeastMs = 1_000

export class DatagramTraffic extends Timetable<DatagramStream> {
  readonly payload: Payload
  readonly sizes: Sizes
  readonly streams: DatagramStream[]
  /** The first wrong bytes; undefined if there were none. */
  wrong: WrongBytes | undefined
  /** A number that all threads of a run have, and no other run. */
  readonly #run: number
  /** Datagrams that are lost and may still come: connection and sequence number. */
  readonly #lost = new Set<number>()
  /** When the last lost datagram was given up. */
  #lostNs = -Infinity

  constructor(task: ThreadLoad, meter: Meter) {
    super(task, meter)
    this.#run = mix(mix(process.pid) ^ task.seed)
    this.payload = createPayload(task.payload)
    this.sizes = createSizes(task.sizes, task.seed)
    this.streams = Array.from(
      { length: task.connections },
      (_, index) =>
        new DatagramStream(this, index, task.firstConnection + index * task.connectionStep),
    )
  }

  /** To be called several times a second: each stream that has room again may send. */
  tick(now: number, mover: Pick<Mover<DatagramStream>, 'send'>): void {
    for (const stream of this.streams) if (stream.expire(now)) mover.send(stream, now)
  }

  sizeOf(connection: number, sequence: number): number {
    return this.sizes.fixedBytes || this.sizes.of(connection, sequence)
  }

  /** The whole datagram of a message. */
  write(connection: number, sequence: number): Buffer {
    const datagram = Buffer.allocUnsafe(this.sizeOf(connection, sequence))
    this.writeAt(datagram, 0, connection, sequence, datagram.length)
    return datagram
  }

  /** Writes the datagram into memory of the caller. */
  writeAt(into: Buffer, at: number, connection: number, sequence: number, sizeBytes: number): void {
    into.writeUInt32LE(magic, at)
    into.writeUInt32LE(this.#run, at + 4)
    into.writeUInt32LE(connection, at + 8)
    into.writeUInt32LE(sequence >>> 0, at + 12)
    into.writeUInt32LE(this.#check(connection, sequence >>> 0), at + 16)
    const { table } = this.payload
    const from = this.#payloadAt(connection, sequence)
    const length = sizeBytes - headerBytes
    const to = at + headerBytes
    if (length > loopMaxBytes) table.copy(into, to, from, from + length)
    else for (let n = 0; n < length; n++) into[to + n] = table[from + n]!
  }

  /**
   * The connection and message that the header of a datagram names; undefined if the header is not
   * sound.
   */
  read(datagram: Buffer): { connection: number; sequence: number } | undefined {
    if (datagram.length < headerBytes) return undefined
    if (datagram.readUInt32LE(0) !== magic || datagram.readUInt32LE(4) !== this.#run)
      return undefined
    const connection = datagram.readUInt32LE(8)
    const sequence = datagram.readUInt32LE(12)
    if (datagram.readUInt32LE(16) !== this.#check(connection, sequence)) return undefined
    return { connection, sequence }
  }

  /** The number of a datagram with a sound header of that connection; -1 of any other. */
  sequenceAt(bytes: Buffer, at: number, length: number, connection: number): number {
    if (length < headerBytes) return -1
    if (bytes.readUInt32LE(at) !== magic || bytes.readUInt32LE(at + 4) !== this.#run) return -1
    if (bytes.readUInt32LE(at + 8) !== connection) return -1
    const sequence = bytes.readUInt32LE(at + 12)
    return bytes.readUInt32LE(at + 16) === this.#check(connection, sequence) ? sequence : -1
  }

  /** Whether the bytes behind a sound header are those that were sent. */
  isRight(
    bytes: Buffer,
    at: number,
    length: number,
    connection: number,
    sequence: number,
  ): boolean {
    if (length !== this.sizeOf(connection, sequence)) return false
    const { table } = this.payload
    const from = this.#payloadAt(connection, sequence)
    const rest = length - headerBytes
    const start = at + headerBytes
    if (rest > loopMaxBytes)
      return table.compare(bytes, start, start + rest, from, from + rest) === 0
    for (let n = 0; n < rest; n++) if (bytes[start + n] !== table[from + n]) return false
    return true
  }

  #check(connection: number, sequence: number): number {
    return mix(mix(this.#run ^ connection) ^ sequence)
  }

  #payloadAt(connection: number, sequence: number): number {
    const { payload } = this
    // The message of a flood is always the same; other payload depends on connection and number.
    const isSame = payload.periodBytes !== Infinity
    return payload.at(connection, isSame ? 0 : sequence * strideBytes)
  }

  /** A datagram is lost, but may still come; those that were lost long ago are forgotten. */
  lose(index: number, sequence: number, now = nowNs()): void {
    this.#lost.add(keyOf(index, sequence))
    this.#lostNs = now
    if (this.#lost.size <= lostMax) return
    for (const first of this.#lost) return void this.#lost.delete(first)
  }

  /** Whether a datagram that has come had counted as lost; then it no longer does. */
  find(index: number, sequence: number): boolean {
    return this.#lost.delete(keyOf(index, sequence))
  }

  /** Whether nothing is in flight, and nothing that is lost can still come. */
  isQuiet(now: number): boolean {
    if (!this.streams.every(stream => stream.failed || stream.done)) return false
    const patienceNs = Math.max(this.task.timeoutMs, lateLeastMs) * 1e6
    return this.#lost.size === 0 || now - this.#lostNs >= patienceNs
  }

  note(wrong: WrongBytes): void {
    this.meter.counters[counter.wrongBytes]!++
    this.wrong ??= wrong
  }
}

/**
 * Connection and sequence number in one number. It is exact, since a thread has fewer than 2^21
 * connections.
 */
const keyOf = (index: number, sequence: number) => index * 2 ** 32 + sequence
