/**
 * Connections with a large flow. Their bytes do not come into our memory: splice(2) moves whole
 * pages from the socket into a pipe, and from there back into the socket. The ring only reports
 * when there is something to move. A pipe belongs to a connection only while it holds bytes that
 * the peer would not take yet. So one pipe is enough for all peers that read their echo.
 */
import { counter } from '../../metrics/meter.ts'
import type { Served } from '../leave.ts'
import { descriptorLimit } from '../os/descriptors.ts'
import {
  F_SETFL,
  F_SETPIPE_SZ,
  O_CLOEXEC,
  O_NONBLOCK,
  POLLIN,
  POLLOUT,
  SPLICE_F_NONBLOCK,
} from '../os/kernel-numbers.ts'
import { systemError, type Libc } from '../os/libc.ts'
import * as entries from './entries.ts'
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'

/**
 * A receive of this many bytes is a large piece, and this many large pieces between two ticks make
 * a flow. It pays for messages of about 64 kB or more; at 16 kB it does not.
 */
export const muchBytes = 24_576
const muchPieces = 16
/** If this many moves in a row bring less than this, the connection's bytes are copied again. */
const littleBytes = 16_384
const littleTimes = 8
/** The most that one move takes, so also the most that waits for a client that does not read. */
const pipeBytes = 524_288
/**
 * The most flows of a thread. Each takes a descriptor, and two more while its peer does not read;
 * all may take a fortieth of the limit of descriptors. The bytes of other connections are copied.
 */
const flowsMax = 128
const limitPerFlow = 128
/** A flow without traffic for a second gives its place to another. */
const stillTicks = 20
/** Errors of a broken connection. After another error of splice(2), recv(2) may still work. */
const broken = new Set(k.broken)
/** Empty pipes kept for the next flow. */
const sparesMax = 4

interface Pipe {
  readonly out: number
  readonly in: number
}

interface Flow {
  /** A descriptor, in addition to its slot: splice(2) does not know direct descriptors. */
  readonly fd: number
  /** The pipe whose content is still to be sent. */
  pipe: Pipe | undefined
  inPipe: number
  nonBlocking: boolean
  /** How many moves in a row brought little. */
  little: number
  /** Whether the flow is not watched before the next tick. */
  resting: boolean
  /** The tick after which something was last moved. */
  movedAt: number
}

export class Bulk {
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #counters: Float64Array
  /** Bytes of each connection, for its ledger. */
  readonly #received: Float64Array | undefined
  /** The flows, by their slot in the ring. */
  readonly #flows = new Map<number, Flow>()
  readonly #pieces: Uint8Array
  readonly #counted: number[] = []
  readonly #spares: Pipe[] = []
  #flowsMax = Math.min(flowsMax, Math.floor(descriptorLimit() / limitPerFlow))
  readonly #ends = new Int32Array(2)
  #tick = 0
  #moved = false

  constructor(
    { libc, ring }: { libc: Libc; ring: Ring },
    counters: Float64Array,
    received: Float64Array | undefined,
    slots: number,
  ) {
    this.#received = received
    this.#libc = libc
    this.#ring = ring
    this.#counters = counters
    this.#pieces = new Uint8Array(slots)
  }

  /** Counts large pieces of a connection. If they come often, the connection gets a descriptor. */
  count(slot: number, generation: number): void {
    const pieces = ++this.#pieces[slot]!
    if (pieces === 1) this.#counted.push(slot)
    if (pieces !== muchPieces || this.#flows.size >= this.#flowsMax) return
    entries.installForBulk(this.#ring, slot, generation)
  }

  /**
   * Begins to count large pieces again, and closes spare pipes. Returns the flows that may be
   * watched again, and those without traffic for a while.
   */
  onTick(): { rested: number[]; still: number[] } {
    for (const slot of this.#counted) this.#pieces[slot] = 0
    this.#counted.length = 0
    if (this.#flows.size === 0) this.#closeSpares()
    this.#tick++
    const rested: number[] = []
    const still: number[] = []
    for (const [slot, flow] of this.#flows) {
      if (flow.resting) rested.push(slot)
      else if (flow.inPipe === 0 && this.#tick - flow.movedAt === stillTicks) still.push(slot)
      flow.resting = false
    }
    return { rested, still }
  }

  /**
   * From now on pages of the connection are moved. Returns false, with the descriptor closed, if
   * that is not possible. It opens a pipe only to find out whether that is possible.
   */
  begin(slot: number, fd: number, wanted: boolean): boolean {
    const fits = !this.#flows.has(slot) && this.#flows.size < this.#flowsMax
    const pipe = wanted && fits ? this.#takePipe() : undefined
    if (pipe === undefined) {
      this.#libc.close(fd)
      return false
    }
    this.#givePipe(pipe)
    const fresh = { inPipe: 0, nonBlocking: false, little: 0, resting: false }
    this.#flows.set(slot, { fd, pipe: undefined, movedAt: this.#tick, ...fresh })
    return true
  }

  /** Closes the descriptor, which would keep the connection open. What the pipe holds is lost. */
  end(slot: number): void {
    const flow = this.#flows.get(slot)
    if (flow === undefined) return
    this.#flows.delete(slot)
    if (flow.pipe !== undefined) this.#closePipe(flow.pipe)
    if (flow.nonBlocking) this.#libc.fcntl(flow.fd, F_SETFL, 0)
    this.#libc.close(flow.fd)
  }

  has(slot: number): boolean {
    return this.#flows.size > 0 && this.#flows.has(slot)
  }

  /** Whether something was moved since the last call. */
  takeMoved(): boolean {
    const moved = this.#moved
    this.#moved = false
    return moved
  }

  /**
   * The stage of a connection for the policy of leaving: FIN would overtake bytes that are in its
   * pipe.
   */
  stageOf(slot: number): Served {
    return this.inPipeOf(slot) === 0 ? 'open' : 'answering'
  }

  /** How many bytes wait in its pipe. */
  inPipeOf(slot: number): number {
    return this.#flows.size === 0 ? 0 : (this.#flows.get(slot)?.inPipe ?? 0)
  }

  /**
   * Asks for a completion when there is something to move, or room for the bytes in the pipe.
   * Returns false if it has to wait for the next tick: the socket reported room and then took
   * nothing, so asking at once could go on for ever.
   */
  watch(slot: number, generation: number): boolean {
    const flow = this.#flows.get(slot)!
    if (flow.resting) return false
    // splice(2) waits unless the socket is non-blocking. end() undoes this for the ring.
    if (!flow.nonBlocking) this.#libc.fcntl(flow.fd, F_SETFL, O_NONBLOCK)
    flow.nonBlocking = true
    entries.poll(this.#ring, slot, generation, flow.inPipe > 0 ? POLLOUT : POLLIN)
    return true
  }

  /**
   * Moves bytes. Returns how many, or a negative error number (errno(3)). If splice(2) brings
   * nothing, the connection is not a flow any more and is received from again. The cause may be the
   * end of the stream; an urgent byte, at which splice(2) stops for ever and which recv(2) skips;
   * or a system that does not allow splice(2).
   */
  move(slot: number): number {
    const flow = this.#flows.get(slot)!
    this.#moved = true
    if (flow.inPipe > 0) {
      const put = this.#drain(flow)
      flow.resting = put === k.error.AGAIN
      return put
    }
    const pipe = this.#takePipe()
    const got = pipe === undefined ? k.error.AGAIN : this.#splice(flow.fd, pipe.in, pipeBytes)
    if (got > 0) this.#pass(slot, flow, pipe!, got)
    else if (pipe !== undefined) this.#givePipe(pipe)
    if (got <= 0 || (flow.little >= littleTimes && flow.inPipe === 0)) this.end(slot)
    if (got > 0 || broken.has(got)) return got
    if (got !== 0 && got !== k.error.AGAIN) this.#flowsMax = 0
    return k.error.AGAIN
  }

  /** Reads the content of the pipe into memory, and closes the pipe. */
  copyOut(slot: number): Uint8Array {
    const { pipe, inPipe } = this.#flows.get(slot)!
    const bytes = new Uint8Array(inPipe)
    for (let got = 0; got < inPipe;) {
      const more = this.#libc.read(pipe!.out, bytes.subarray(got), inPipe - got)
      if (more <= 0) throw systemError(this.#libc.errorName())
      got += more
    }
    this.end(slot)
    return bytes
  }

  /** Moves the content of the pipe on to the socket. */
  #pass(slot: number, flow: Flow, pipe: Pipe, got: number): void {
    flow.pipe = pipe
    flow.inPipe = got
    flow.movedAt = this.#tick
    flow.little = got < littleBytes ? flow.little + 1 : 0
    this.#counters[counter.chunks]!++
    this.#counters[counter.bytesIn]! += got
    if (this.#received !== undefined) this.#received[slot]! += got
    this.#drain(flow)
  }

  #drain(flow: Flow): number {
    const put = this.#splice(flow.pipe!.out, flow.fd, flow.inPipe)
    if (put <= 0) return put
    flow.movedAt = this.#tick
    this.#counters[counter.bytesOut]! += put
    flow.inPipe -= put
    if (flow.inPipe === 0) {
      this.#givePipe(flow.pipe!)
      flow.pipe = undefined
    }
    return put
  }

  #splice(from: number, to: number, length: number): number {
    const moved = this.#libc.splice(from, 0, to, 0, length, SPLICE_F_NONBLOCK)
    return moved < 0 ? this.#libc.lastError() : moved
  }

  #takePipe(): Pipe | undefined {
    const spare = this.#spares.pop()
    if (spare !== undefined) return spare
    const ends = new Uint8Array(this.#ends.buffer)
    if (this.#libc.pipe2(ends, O_NONBLOCK | O_CLOEXEC) !== 0) return undefined
    const [out, into] = this.#ends as unknown as [number, number]
    // If the user has used up the memory for pipes, a smaller pipe also works.
    this.#libc.fcntl(into, F_SETPIPE_SZ, pipeBytes)
    return { out, in: into }
  }

  #givePipe(pipe: Pipe): void {
    if (this.#spares.length < sparesMax) this.#spares.push(pipe)
    else this.#closePipe(pipe)
  }

  #closePipe(pipe: Pipe): void {
    this.#libc.close(pipe.out)
    this.#libc.close(pipe.in)
  }

  #closeSpares(): void {
    for (const pipe of this.#spares) this.#closePipe(pipe)
    this.#spares.length = 0
  }

  close(): void {
    for (const slot of this.#flows.keys()) this.end(slot)
    this.#closeSpares()
  }
}
