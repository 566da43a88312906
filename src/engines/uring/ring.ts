/**
 * One io_uring for one thread: both queues as typed arrays, entries written in place.
 *
 *   submission   we write an entry at `tail`, then publish the tail; enter() has the kernel take it
 *   completion   the kernel writes at its tail; we read from our head, then publish the head
 *
 * Entries have 16 words (io_uring_sqe, 64 bytes), completions 4 (io_uring_cqe, 16 bytes).
 */
import { checked, systemError, type Libc, type Mapping } from '../os/libc.ts'
import * as k from './kernel.ts'

const TWO32 = 2 ** 32
/** Errors of io_uring_enter(2) after which the next turn tries again. */
const passing = new Set(['EINTR', 'EAGAIN', 'EBUSY', 'ENOMEM', 'ETIME'])

export class Ring {
  readonly entries: number
  readonly completions: number
  /** The words of both rings; the indices below are indices into them. */
  readonly words: Int32Array
  readonly sqes: Int32Array
  readonly sqFlags: number
  readonly cqHead: number
  readonly cqTail: number
  readonly cqes: number
  /** The index of the next entry; it only grows. */
  tail: number
  /** Entries written and not yet taken by the kernel. */
  pending = 0
  readonly #libc: Libc
  readonly #fd: number
  readonly #registeredFd: number
  readonly #sqTail: number
  readonly #mappings: Mapping[] = []

  /**
   * Only this thread submits, and completions are made only while it waits: that is what makes it
   * cheap (SINGLE_ISSUER, DEFER_TASKRUN; since 6.1). Without the index array (NO_SQARRAY; since
   * 6.6) an entry is written once, and nothing else.
   * @throws NodeJS.ErrnoException if the kernel refuses
   */
  constructor(libc: Libc, entries: number, completions: number) {
    this.#libc = libc
    const params = Buffer.alloc(k.params.bytes)
    const { CQSIZE, SUBMIT_ALL, TASKRUN_FLAG, SINGLE_ISSUER, DEFER_TASKRUN, NO_SQARRAY } = k.setup
    const mode = SUBMIT_ALL | TASKRUN_FLAG | SINGLE_ISSUER | DEFER_TASKRUN
    params.writeUInt32LE(mode | CQSIZE | NO_SQARRAY, k.params.flags)
    params.writeUInt32LE(completions, k.params.cqEntries)
    this.#fd = checked(libc, libc.ringSetup(k.syscalls.setup, entries, params))
    this.entries = params.readUInt32LE(k.params.sqEntries)
    this.completions = params.readUInt32LE(k.params.cqEntries)
    const sq = (offset: number) => params.readUInt32LE(k.params.sqOff + offset)
    const cq = (offset: number) => params.readUInt32LE(k.params.cqOff + offset)
    const ringBytes = cq(k.cqOffsets.cqes) + this.completions * 16
    this.words = new Int32Array(this.#map(ringBytes, 0))
    this.sqes = new Int32Array(this.#map(this.entries * 64, k.OFF_SQES))
    this.#sqTail = sq(k.sqOffsets.tail) / 4
    this.sqFlags = sq(k.sqOffsets.flags) / 4
    this.cqHead = cq(k.cqOffsets.head) / 4
    this.cqTail = cq(k.cqOffsets.tail) / 4
    this.cqes = cq(k.cqOffsets.cqes) / 4
    this.tail = this.words[this.#sqTail]!
    this.#registeredFd = this.#registerFd()
  }

  #map(sizeBytes: number, offset: number): ArrayBuffer {
    const mapping = this.#libc.map(sizeBytes, this.#fd, offset)
    this.#mappings.push(mapping)
    return mapping.memory
  }

  #register(what: number, argument: Uint8Array, count: number): void {
    const { register } = k.syscalls
    checked(this.#libc, this.#libc.ringRegister(register, this.#fd, what, argument, count))
  }

  /** io_uring_rsrc_update: offset 4, reserved 4, data 8. Spares the kernel a look-up per call. */
  #registerFd(): number {
    const update = Buffer.alloc(16)
    update.writeInt32LE(-1, 0)
    update.writeUInt32LE(this.#fd, 8)
    this.#register(k.register.RING_FDS, update, 1)
    return update.readUInt32LE(0)
  }

  /** Registers an empty table of direct descriptors, into which accept puts sockets. */
  registerFileTable(slots: number): void {
    // io_uring_rsrc_register: nr 4, flags 4, and 24 bytes for later.
    const table = Buffer.alloc(32)
    table.writeUInt32LE(slots, 0)
    table.writeUInt32LE(k.RSRC_REGISTER_SPARSE, 4)
    this.#register(k.register.FILES2, table, table.length)
  }

  /** Puts a descriptor into a slot of the table; the caller may close its own. */
  setFile(slot: number, fd: Mapping): void {
    // io_uring_files_update: offset 4, reserved 4, address of the descriptors 8.
    const update = Buffer.alloc(16)
    update.writeUInt32LE(slot, 0)
    update.writeBigUInt64LE(BigInt(fd.address), 8)
    this.#register(k.register.FILES_UPDATE, update, 1)
  }

  /** Registers buffers for receives. */
  registerBufferRing(address: number, entries: number, flags: number): void {
    // io_uring_buf_reg: ring address 8, entries 4, group 2, flags 2, and 24 bytes for later.
    const buffers = Buffer.alloc(40)
    buffers.writeBigUInt64LE(BigInt(address), 0)
    buffers.writeUInt32LE(entries, 8)
    buffers.writeUInt16LE(flags, 14)
    this.#register(k.register.PBUF_RING, buffers, 1)
  }

  /**
   * Writes one entry; returns the index of its first word, for the rarer fields.
   * @param head opcode, flags << 8, ioprio << 16
   */
  push(
    head: number,
    fd: number,
    address: number,
    length: number,
    how: number,
    user0: number,
    user1: number,
  ): number {
    while (this.pending === this.entries) this.enter(0, 0)
    const { sqes } = this
    const at = (this.tail & (this.entries - 1)) << 4
    this.tail = (this.tail + 1) | 0
    this.pending++
    sqes[at] = head
    sqes[at + 1] = fd
    sqes[at + 2] = 0
    sqes[at + 3] = 0
    sqes[at + 4] = address | 0
    sqes[at + 5] = address / TWO32
    sqes[at + 6] = length
    sqes[at + 7] = how
    sqes[at + 8] = user0
    sqes[at + 9] = user1
    sqes[at + 10] = 0
    sqes[at + 11] = 0
    sqes[at + 12] = 0
    sqes[at + 13] = 0
    return at
  }

  /** Submits what is pending, and waits for completions if asked to. */
  enter(wait: number, flags: number, argument = 0, argumentBytes = 0): void {
    const { words, pending } = this
    // The kernel reads the tail: publish it only after the entries are complete.
    Atomics.store(words, this.#sqTail, this.tail)
    const how = flags | k.enter.REGISTERED_RING
    const { enter } = k.syscalls
    const fd = this.#registeredFd
    const taken = this.#libc.ringEnter(enter, fd, pending, wait, how, argument, argumentBytes)
    if (taken > 0) this.pending = pending - taken
    else if (taken < 0) this.#mayPass()
  }

  /**
   * Throws, unless the error may pass: a signal, too little memory, a full queue. Any other error
   * is final.
   */
  #mayPass(): void {
    const error = this.#libc.errorName()
    if (!passing.has(error)) throw systemError(error)
  }

  /**
   * Submits until the kernel has taken all entries; if memory is short, it takes only a part at a
   * time. Sends are done when they are taken, so a caller that relies on this has to wait for it.
   */
  submitAll(): void {
    while (this.pending > 0) this.enter(0, k.enter.GETEVENTS)
  }

  /** Brings overflowed completions into the queue. */
  flush(): void {
    const { GETEVENTS, REGISTERED_RING } = k.enter
    const flags = GETEVENTS | REGISTERED_RING
    this.#libc.ringEnter(k.syscalls.enter, this.#registeredFd, 0, 0, flags, 0, 0)
  }

  /** Handles all completions that are there. For code whose speed does not matter. */
  forEachCompletion(
    use: (user0: number, user1: number, result: number, flags: number) => void,
  ): void {
    const { words, cqHead, cqTail, cqes } = this
    const mask = this.completions - 1
    const tail = Atomics.load(words, cqTail)
    for (let head = words[cqHead]!; head !== tail; head = (head + 1) | 0) {
      const at = cqes + ((head & mask) << 2)
      use(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!)
    }
    Atomics.store(words, cqHead, tail)
  }

  /** Whether completions are there to be read. */
  get hasCompletions(): boolean {
    return Atomics.load(this.words, this.cqTail) !== this.words[this.cqHead]
  }

  /** Closes all direct descriptors too. Nothing of this object may be used any more. */
  close(): void {
    const update = Buffer.alloc(16)
    update.writeUInt32LE(this.#registeredFd, 0)
    this.#register(k.register.UNREGISTER_RING_FDS, update, 1)
    this.#libc.close(this.#fd)
    for (const mapping of this.#mappings) this.#libc.unmap(mapping)
  }
}
