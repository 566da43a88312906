/** Answers datagrams on a ring: each with itself, to its source, unless the guard says no. */
import type { HostAddress } from '../../../vocabulary/address.ts'
import { counter, stopWord, type Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { Guard } from '../../../wire/udp/guard.ts'
import type { OpenTask } from '../../engine.ts'
import { isDrainOver, nextStep, quietMs } from '../../leave.ts'
import { bindDatagrams, type DatagramSocket } from '../../os/datagram-sockets.ts'
import { broadcastAddresses, isUnspecified, keepOutGroups } from '../../os/group-filter.ts'
import { AF_INET, AF_INET6, SOL_SOCKET, SOL_UDP } from '../../os/kernel-numbers.ts'
import { SO_BROADCAST, UDP_GRO } from '../../os/kernel-numbers.ts'
import { loadLibc, type Libc } from '../../os/libc.ts'
import { setOption } from '../../os/socket-options.ts'
import { unreadOf } from '../../os/unread.ts'
import { kind, completionOf, type Unanswered } from '../entries.ts'
import * as k from '../kernel.ts'
import { Ring } from '../ring.ts'
import { Waiter } from '../waiter.ts'
import { Answers } from './answers.ts'
import { putFile } from './file.ts'
import { Inbox } from '../inbox.ts'
import { Senders, portIn } from './senders.ts'

const ringEntries = 4096
const ringCompletions = 16_384
/** The only direct descriptor. */
const slot = 0
/** How often to look at the stop word; once a second also at what was dropped unread. */
const tickMs = 50
const askMs = 1_000

/** @throws UserError if it cannot listen at the address */
export async function openDatagramServe(task: ServeTask, meter: Meter): Promise<OpenTask> {
  const libc = loadLibc() as Libc
  const socket = await bindDatagrams(libc, task.address as HostAddress, task.sharePort)
  try {
    return new DatagramServer(task, meter, libc, socket)
  } catch (error) {
    libc.close(socket.fd)
    throw error
  }
}

class DatagramServer implements OpenTask {
  readonly address: HostAddress
  readonly #task: ServeTask
  readonly #meter: Meter
  readonly #libc: Libc
  readonly #fd: number
  readonly #ring: Ring
  readonly #inbox: Inbox
  readonly #answers: Answers
  readonly #guard: Guard
  readonly #senders: Senders
  readonly #waiter: Waiter
  readonly #unreadBefore: number
  #nextAskMs = 0
  /** Whether a receive is in flight; if not, whether it is to wait for the next tick. */
  #receiving = false
  #failed = false
  /** How many datagrams came, answered or not. */
  #heard = 0
  /** If the server leaves: how many of them came before its last look. */
  #heardBefore = -1
  /** When the server was told to leave, in ms (0: not yet). */
  #leavingSinceMs = 0
  /** How many looks there were since then. */
  #leavingLooks = 0
  /** Whether everything that had come was read in this turn. It was not if no buffer was free. */
  #hasRead = false

  constructor(task: ServeTask, meter: Meter, libc: Libc, socket: DatagramSocket) {
    const { fd, nameBytes, address } = socket
    this.address = address
    this.#task = task
    this.#meter = meter
    this.#libc = libc
    this.#fd = fd
    const broadcasts = broadcastAddresses()
    const { allow } = task.datagrams
    if (allow.includes('broadcast')) setOption(libc, fd, SOL_SOCKET, SO_BROADCAST, 1)
    setOption(libc, fd, SOL_UDP, UDP_GRO, 1)
    this.#unreadBefore = unreadOf(fd)
    if (isUnspecified(address.host)) keepOutGroups(fd, allow, broadcasts)
    const ring = new Ring(libc, ringEntries, ringCompletions)
    this.#ring = ring
    ring.registerFileTable(1)
    putFile(libc, ring, slot, fd)
    this.#inbox = new Inbox(libc, ring, nameBytes)
    this.#answers = new Answers(libc, ring, slot, this.#inbox, nameBytes, meter)
    this.#guard = new Guard(task.datagrams, task.udpPorts, broadcasts)
    this.#senders = new Senders(this.#guard, nameBytes === 16 ? AF_INET : AF_INET6)
    this.#waiter = new Waiter(libc, ring, task.busyPollUs)
    Atomics.add(task.udpPorts, address.port, 1)
  }

  /** No call can reach this while run() blocks the thread: the meter's stop word does. */
  stop(): void {}

  /** Blocks this thread until it has left; only the meter's stop word reaches it. */
  async run(): Promise<void> {
    const [ring, answers, waiter] = [this.#ring, this.#answers, this.#waiter]
    waiter.startTicks(tickMs)
    let sent = 0
    for (;;) {
      if (!this.#receiving && !this.#failed) this.#receive()
      if (this.#inbox.isCrowded(answers.spent)) {
        // Submits without receiving: there may be no buffer for more datagrams.
        sent = answers.count
        this.#hasRead = false
        ring.enter(0, 0)
      } else {
        this.#hasRead = this.#receiving
        waiter.wait(answers.count || sent, true)
        sent = 0
      }
      ring.submitAll()
      let ticked = this.#reap()
      // Completions that overflowed the queue: the result of a send may be among them.
      while (ring.words[ring.sqFlags]! & k.sq.CQ_OVERFLOW) {
        ring.flush()
        if (this.#reap()) ticked = true
      }
      answers.endTurn()
      if (ticked && this.#onTick(performance.now())) break
    }
    this.#close()
  }

  #receive(): void {
    this.#receiving = true
    this.#inbox.receive(slot)
  }

  /** Handles all completions that are there. Returns whether the clock ticked. */
  #reap(): boolean {
    const ring = this.#ring
    const { words, cqHead, cqTail, cqes } = ring
    const mask = ring.completions - 1
    const nowMs = performance.now()
    let ticked = false
    let head = words[cqHead]!
    const tail = Atomics.load(words, cqTail)
    for (; head !== tail; head = (head + 1) | 0) {
      const at = cqes + ((head & mask) << 2)
      const result = words[at + 2]!
      const flags = words[at + 3]!
      const of = completionOf(words[at]!)
      switch (of) {
        case kind.RECV:
          if (result >= 0) this.#onReceived(flags >>> 16, nowMs)
          if (!(flags & k.cqe.MORE)) this.#onReceiveEnded(result)
          break
        case kind.SEND:
          this.#answers.onFailed(words[at]! & 1, words[at + 1]!, result)
          break
        case kind.REST:
          this.#answers.onPatient(words[at + 1]!, result)
          break
        case kind.TICK:
          this.#waiter.onTick(flags)
          ticked = true
          break
        // Other kinds need no handling here.
        default:
          of satisfies Unanswered | typeof kind.CONNECT
      }
    }
    Atomics.store(words, cqHead, head)
    this.#inbox.bufferRing.publish()
    return ticked
  }

  /** An empty datagram ends the receive, too, and so does a lack of free buffers. */
  #onReceiveEnded(result: number): void {
    this.#receiving = false
    this.#hasRead = false
    if (result === k.error.NOBUFS) this.#inbox.grow()
    this.#failed = result < 0 && result !== k.error.NOBUFS
  }

  #onReceived(id: number, nowMs: number): void {
    const inbox = this.#inbox
    const start = inbox.startOf(id)
    const bytes = inbox.payloadBytes(start)
    const size = inbox.sizeBytes(start)
    const heard = size < bytes ? Math.ceil(bytes / size) : 1
    this.#heard += heard
    this.#meter.counters[counter.bytesIn]! += bytes
    if (this.#answer(start, bytes, size, heard, nowMs)) return this.#answers.spend(id)
    inbox.bufferRing.give(id)
  }

  /** Answers the datagrams of a buffer. Returns whether any of them is answered. */
  #answer(start: number, bytes: number, size: number, heard: number, nowMs: number): boolean {
    const { counters } = this.#meter
    const { words, bufferRing, nameAt, payloadAt } = this.#inbox
    const name = (start + nameAt) >> 2
    const refused = this.#guard.refusalOfPort(portIn(words[name]!))
    if (refused !== undefined) {
      counters[counter[refused]]! += heard
      return false
    }
    const from = this.#senders.find(words, name, nowMs)
    const end = start + payloadAt + bytes
    // Datagrams that are answered and lie side by side are sent together.
    let first = -1
    let any = false
    for (let n = 0, at = start + payloadAt; n < heard; n++, at += size) {
      const length = Math.min(size, end - at)
      const reason = this.#guard.refusalFrom(from.sender, bufferRing.bytes, at, length, nowMs)
      if (reason === undefined) {
        if (first < 0) first = at
        any = true
        continue
      }
      counters[counter[reason]]!++
      if (first >= 0) this.#send(from, start, first, at - first, size)
      first = -1
    }
    if (first >= 0) this.#send(from, start, first, end - first, size)
    return any
  }

  #send(to: ReturnType<Senders['find']>, start: number, at: number, bytes: number, size: number) {
    const { counters } = this.#meter
    const count = size < bytes ? Math.ceil(bytes / size) : 1
    counters[counter.chunks]! += count
    counters[counter.datagramsAnswered]! += count
    counters[counter.bytesOut]! += bytes
    this.#answers.add(to, start + this.#inbox.nameAt, at, bytes, size)
  }

  /** Work that depends on the time. Returns whether the server has left. */
  #onTick(nowMs: number): boolean {
    this.#failed = false
    this.#answers.onTick()
    if (nowMs >= this.#nextAskMs) {
      this.#askUnread()
      this.#nextAskMs = nowMs + askMs
    }
    const stop = this.#meter.stopping
    return stop !== stopWord.run && this.#leave(stop, nowMs)
  }

  #askUnread(): void {
    const unread = unreadOf(this.#fd) - this.#unreadBefore
    this.#meter.counters[counter.datagramsUnread] = Math.max(0, unread)
  }

  /** Leaves. Datagrams that were received before are answered first. */
  #leave(stop: number, nowMs: number): boolean {
    const { drainMs } = this.#task
    const wasLeaving = this.#leavingSinceMs > 0
    if (!wasLeaving) {
      this.#leavingSinceMs = nowMs
      this.#waiter.startTicks(quietMs)
    }
    const leavingMs = nowMs - this.#leavingSinceMs
    if (stop === stopWord.now || isDrainOver({ drainMs, leavingMs })) return true
    const isQuiet = this.#hasRead && this.#heard === this.#heardBefore
    this.#heardBefore = this.#heard
    // Time is counted in looks, not by the clock: before each look, everything that had come was
    // read.
    const time = { drainMs, leavingMs: this.#leavingLooks++ * quietMs }
    return nextStep(time, { isQuiet, isTold: false }) === 'tell' && this.#answers.waiting === 0
  }

  #close(): void {
    this.#askUnread()
    Atomics.sub(this.#task.udpPorts, this.address.port, 1)
    this.#ring.submitAll()
    this.#ring.close()
    this.#libc.close(this.#fd)
    this.#inbox.close()
    this.#answers.close()
    this.#waiter.close()
  }
}
