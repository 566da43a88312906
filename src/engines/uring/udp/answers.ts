/**
 * The answers of a turn, which are sent with the next wait, and those of the turn before, whose
 * results come with it. They are sent from where they were received.
 */
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { Libc } from '../../os/libc.ts'
import { becomeMessage, kind, sendDatagram, tag } from '../entries.ts'
import { error } from '../kernel.ts'
import type { Ring } from '../ring.ts'
import type { Inbox } from '../inbox.ts'
import type { KnownSender } from './senders.ts'
import { PatientSends } from './patient-sends.ts'
import { isForSingle, trainMax, trainMaxBytes } from '../../os/datagram-train.ts'
import { Trains } from './trains.ts'

/** How many sends a turn may have. */
const answersMax = 4096
/** How many of these sends may have several datagrams. */
const trainsMax = 256

/** The answers of one turn. */
class AnswerList {
  count = 0
  trains = 0
  /** Offsets in the inbox: of the source's sockaddr, and of the first byte. */
  readonly name = new Uint32Array(answersMax)
  readonly at = new Uint32Array(answersMax)
  /** How many bytes all datagrams have together, and each of them. */
  readonly bytes = new Uint32Array(answersMax)
  readonly size = new Uint32Array(answersMax)
  readonly pieces = new Uint16Array(answersMax)
  /** The number of its train, if it has several datagrams; else -1. */
  readonly train = new Int16Array(answersMax)
  /** The sequence number of its entry, to see whether the kernel has taken that yet. */
  readonly sequence = new Int32Array(answersMax)
  /** Buffers whose bytes are sent. */
  readonly spent: number[] = []
  readonly firstTrain: number

  constructor(firstTrain: number) {
    this.firstTrain = firstTrain
  }
}

export class Answers {
  readonly #ring: Ring
  readonly #slot: number
  readonly #inbox: Inbox
  readonly #nameBytes: number
  readonly #counters: Float64Array
  readonly #trains: Trains
  readonly #patient: PatientSends
  /** Datagrams larger than this are not sent together: the path has refused to divide them. */
  #trainSizeMax = trainMaxBytes
  #turn = 1
  #list = new AnswerList(0)
  #submitted = new AnswerList(trainsMax)

  constructor(libc: Libc, ring: Ring, slot: number, inbox: Inbox, nameBytes: number, meter: Meter) {
    this.#ring = ring
    this.#slot = slot
    this.#inbox = inbox
    this.#nameBytes = nameBytes
    this.#counters = meter.counters
    this.#trains = new Trains(libc, 2 * trainsMax, nameBytes)
    this.#patient = new PatientSends(libc, ring, nameBytes)
  }

  /** How many datagrams wait until the system has room for them. */
  get waiting(): number {
    return this.#patient.waiting
  }

  /** How many answers were made in the last turn. They are submitted in this one. */
  get count(): number {
    return this.#submitted.count
  }

  /** How many buffers are free once the submitted answers are sent. */
  get spent(): number {
    return this.#submitted.spent.length
  }

  /** The buffer is free once the answers made in this turn are sent. */
  spend(id: number): void {
    this.#list.spent.push(id)
  }

  /**
   * Adds an answer: the datagrams that lie there one behind the other.
   * @param nameAt the offset of their source's name in the inbox
   * @param size the size of each datagram; the last one may be shorter
   */
  add(to: KnownSender, nameAt: number, at: number, bytes: number, size: number): void {
    const [list, ring] = [this.#list, this.#ring]
    if (to.turn === this.#turn && this.#lengthen(to.answer, at, bytes, size)) return
    if (list.count === answersMax) return this.#drop(bytes, size)
    const index = list.count++
    list.name[index] = nameAt
    list.at[index] = at
    list.bytes[index] = bytes
    list.size[index] = size
    list.pieces[index] = 1
    list.train[index] = -1
    list.sequence[index] = ring.tail
    to.turn = this.#turn
    to.answer = index
    const { address } = this.#inbox.bufferRing
    const user0 = tag(kind.SEND, this.#turn & 1)
    const name = address + nameAt
    sendDatagram(ring, this.#slot, name, this.#nameBytes, address + at, bytes, user0, index)
    if (bytes > size && !this.#couple(index)) this.#divide(index)
  }

  /**
   * Adds datagrams to a send to the same source, if they fit together. Returns whether that was
   * possible.
   */
  #lengthen(index: number, at: number, bytes: number, size: number): boolean {
    const [list, ring] = [this.#list, this.#ring]
    const before = list.bytes[index]!
    if (list.size[index] !== size || size === 0 || size > this.#trainSizeMax) return false
    if (before % size !== 0 || before + bytes > Math.min(trainMaxBytes, size * trainMax))
      return false
    const isTaken = ((ring.tail - list.sequence[index]!) | 0) > ring.pending
    if (isTaken || list.pieces[index] === trainMax) return false
    if (list.train[index] === -1 && !this.#couple(index)) return false
    list.pieces[index]!++
    list.bytes[index] = before + bytes
    this.#trains.add(list.train[index]!, this.#inbox.bufferRing.address + at, bytes)
    return true
  }

  /** Turns a send into a train: it can then have several datagrams. */
  #couple(index: number): boolean {
    const [list, ring, trains] = [this.#list, this.#ring, this.#trains]
    if (list.trains === trainsMax) return false
    const train = list.firstTrain + list.trains++
    const { address } = this.#inbox.bufferRing
    list.train[index] = train
    trains.begin(train, address + list.name[index]!, list.size[index]!)
    trains.add(train, address + list.at[index]!, list.bytes[index]!)
    const entry = (list.sequence[index]! & (ring.entries - 1)) << 4
    becomeMessage(ring, entry, trains.address(train))
    return true
  }

  /** No train is left for a send that was just made: sends each of its datagrams separately. */
  #divide(index: number): void {
    const [list, ring] = [this.#list, this.#ring]
    const [at, bytes, size] = [list.at[index]!, list.bytes[index]!, list.size[index]!]
    ring.sqes[((list.sequence[index]! & (ring.entries - 1)) << 4) + 6] = size
    list.bytes[index] = size
    const name = list.name[index]!
    for (let done = size; done < bytes; done += size)
      this.#sendPatiently(name, at + done, Math.min(size, bytes - done))
  }

  #sendPatiently(nameAt: number, at: number, bytes: number): void {
    const { bytes: memory } = this.#inbox.bufferRing
    const name = memory.subarray(nameAt, nameAt + this.#nameBytes)
    if (!this.#patient.send(this.#slot, name, memory.subarray(at, at + bytes)))
      this.#drop(bytes, bytes)
  }

  /** Counts an answer as dropped. (It was counted as answered when it was made.) */
  #drop(bytes: number, size: number): void {
    this.#counters[counter.datagramsDropped]! += size === 0 ? 1 : Math.ceil(bytes / size)
  }

  /** A send of the last turn, or of this one if the queue was full, failed. */
  onFailed(parity: number, index: number, result: number): void {
    const list = parity === (this.#turn & 1) ? this.#list : this.#submitted
    const [train, size] = [list.train[index]!, list.size[index]!]
    const isForSingles = train !== -1 && isForSingle(result)
    if (isForSingles) this.#trainSizeMax = Math.min(this.#trainSizeMax, size - 1)
    if (result !== error.AGAIN && !isForSingles) return this.#drop(list.bytes[index]!, size)
    const name = list.name[index]!
    if (train === -1) return this.#sendPatiently(name, list.at[index]!, size)
    const { address } = this.#inbox.bufferRing
    this.#trains.forEach(train, size, (from, bytes) =>
      this.#sendPatiently(name, from - address, bytes),
    )
  }

  /** An answer that had to wait has been sent, or could not be sent. */
  onPatient(at: number, result: number): void {
    if (result < 0) this.#counters[counter.datagramsDropped]!++
    this.#patient.onSent(at)
  }

  /**
   * To be called when the results of all sends of the last turn are known: its buffers are free.
   */
  endTurn(): void {
    const last = this.#submitted
    if (last.spent.length > 0) {
      const { bufferRing } = this.#inbox
      for (const id of last.spent) bufferRing.give(id)
      last.spent.length = 0
      bufferRing.publish()
    }
    last.count = 0
    last.trains = 0
    this.#submitted = this.#list
    this.#list = last
    this.#turn = (this.#turn + 1) >>> 0
  }

  onTick(): void {
    this.#patient.onTick()
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.#trains.close()
    this.#patient.close()
  }
}
