/** Sends datagrams through a ring, and counts what became of each. */
import type { HostAddress } from '../../../vocabulary/address.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import type { DatagramStream } from '../../../load/datagram-stream.ts'
import { DatagramTraffic } from '../../../load/datagram-traffic.ts'
import { Life } from '../../../load/life.ts'
import { beatMs } from '../../../load/stalls.ts'
import { counter, stopWord, type Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { Effort } from '../../effort.ts'
import type { ThreadResult, OpenTask } from '../../engine.ts'
import { errnoOf, explain } from '../../failures.ts'
import { checkDestinations } from '../../os/datagram-sockets.ts'
import { loadLibc, type Libc } from '../../os/libc.ts'
import { completionOf, kind, slotOf, type Unanswered } from '../entries.ts'
import * as k from '../kernel.ts'
import { Ring } from '../ring.ts'
import { WaitArgument } from '../wait-argument.ts'
import { LoadSockets } from './load-sockets.ts'
import { Ways } from './ways.ts'

const ringEntries = 4096
const ringCompletions = 16_384
/** How often lost datagrams are looked for: a tenth of the timeout, within these bounds. */
const tickMinMs = 1
const tickMaxMs = 100
/** The clock is read again after this many completions. */
const readsPerClock = 8

/**
 * Opens the sockets of a load. Nothing is sent before run(), so only run() shows whether a server
 * listens.
 */
export async function openDatagramLoad(task: LoadTask, meter: Meter): Promise<OpenTask> {
  checkDestinations(task, [])
  const libc = loadLibc() as Libc
  const wanted = task.address as HostAddress
  const ring = new Ring(libc, ringEntries, ringCompletions)
  try {
    const slots = task.connections
    ring.registerFileTable(Math.max(1, slots))
    const ways = await Ways.of(libc, ring, task)
    checkDestinations(task, ways.hosts)
    const traffic = new DatagramTraffic(task, meter)
    for (let slot = 0; slot < slots; slot++) {
      const startNs = nowNs()
      ways.open(slot)
      meter.histograms.connect.record(nowNs() - startNs)
      meter.counters[counter.opened]!++
    }
    return new DatagramLoad(libc, ring, task, meter, traffic, ways)
  } catch (error) {
    ring.close()
    throw errnoOf(error) === '' ? error : explain('connect to', wanted, error)
  }
}

class DatagramLoad implements OpenTask {
  readonly address: HostAddress
  readonly #ring: Ring
  readonly #meter: Meter
  readonly #argument: WaitArgument
  readonly #traffic: DatagramTraffic
  readonly #effort: Effort
  readonly #sockets: LoadSockets
  readonly #life: Life<DatagramStream>

  constructor(
    libc: Libc,
    ring: Ring,
    task: LoadTask,
    meter: Meter,
    traffic: DatagramTraffic,
    ways: Ways,
  ) {
    this.address = task.address as HostAddress
    this.#ring = ring
    this.#meter = meter
    this.#argument = new WaitArgument(libc)
    this.#traffic = traffic
    this.#effort = new Effort(traffic)
    this.#sockets = new LoadSockets(libc, ring, traffic, ways)
    traffic.stalls.stamped = ways.clock !== undefined
    const tickMs = Math.min(tickMaxMs, Math.max(tickMinMs, task.timeoutMs / 10))
    const measure = (now: number) => {
      this.#effort.update(now)
      this.#sockets.onTick()
      ways.clock?.check()
    }
    this.#life = new Life(traffic, this.#sockets, { tickMs, measure })
  }

  get result(): ThreadResult {
    const { wrong, log, stageLogs: stages } = this.#traffic
    return { wrong, log, stages, reasons: this.#sockets.reasons, effort: this.#effort.result }
  }

  /** No call can reach this while run() blocks the thread: the meter's stop word does. */
  stop(): void {}

  /** Blocks this thread until the load has ended. */
  async run(startNs: number): Promise<void> {
    const [life, sockets, meter] = [this.#life, this.#sockets, this.#meter]
    let now = nowNs()
    sockets.receive()
    life.start(startNs, now)
    this.#effort.update(now)
    for (;;) {
      const { stopping } = meter
      if (stopping !== stopWord.run) life.stop(now, stopping === stopWord.now)
      life.turn(now)
      if (life.ended) break
      sockets.flush()
      const began = now
      const worked = this.#wait(now)
      now = nowNs()
      if (!worked && now < life.dueNs) this.#effort.waited(now - began)
    }
    this.#close()
    // Node reports garbage collections in a turn of the event loop.
    await new Promise(resolve => setImmediate(resolve))
  }

  /** Submits, and waits for whatever comes first. Returns whether there was something to do. */
  #wait(now: number): boolean {
    const [ring, argument] = [this.#ring, this.#argument]
    const { GETEVENTS, EXT_ARG } = k.enter
    const { dueNs, tickNs } = this.#life
    const untilNs = Math.min(dueNs, tickNs, this.#sockets.beginNs)
    const leftNs = Math.min(untilNs, now + beatMs * 1e6) - now
    this.#traffic.stalls.expect(now, now + Math.max(0, leftNs))
    if (leftNs > 0) {
      argument.set(leftNs)
      ring.enter(1, GETEVENTS | EXT_ARG, argument.address, WaitArgument.bytes)
      // True only because the thread slept: its processor time shows that it was not busy.
      this.#reapAll()
      return true
    }
    const worked = ring.pending > 0
    if (worked || ring.words[ring.sqFlags] !== 0) ring.enter(0, GETEVENTS)
    if (!ring.hasCompletions && ring.pending === 0) return worked
    this.#reapAll()
    return true
  }

  #reapAll(): void {
    const [ring, sockets] = [this.#ring, this.#sockets]
    ring.submitAll()
    sockets.beginTurn()
    this.#reap()
    // Completions that overflowed the queue: the result of a send may be among them.
    while (ring.words[ring.sqFlags]! & k.sq.CQ_OVERFLOW) {
      ring.flush()
      this.#reap()
    }
    sockets.endTurn()
  }

  #reap(): void {
    const [ring, sockets] = [this.#ring, this.#sockets]
    const { words, cqHead, cqTail, cqes } = ring
    const mask = ring.completions - 1
    let head = words[cqHead]!
    const tail = Atomics.load(words, cqTail)
    let now = nowNs()
    for (let n = 0; head !== tail; head = (head + 1) | 0, n++) {
      const at = cqes + ((head & mask) << 2)
      const user0 = words[at]!
      const user1 = words[at + 1]!
      const result = words[at + 2]!
      const slot = slotOf(user0)
      if (n % readsPerClock === readsPerClock - 1) now = nowNs()
      const of = completionOf(user0)
      switch (of) {
        case kind.RECV:
          sockets.onReceived(slot, user1, result, words[at + 3]!, now)
          break
        case kind.SEND:
          sockets.onSendFailed(slot, user1, result)
          break
        case kind.REST:
          sockets.onPatient(slot, user1, result)
          break
        // Other kinds need no handling here.
        default:
          of satisfies Unanswered | typeof kind.TICK | typeof kind.CONNECT
      }
    }
    Atomics.store(words, cqHead, head)
  }

  #close(): void {
    this.#sockets.end()
    this.#ring.close()
    this.#sockets.close()
    this.#argument.close()
    this.#meter.counters[counter.closed]! += this.#traffic.streams.length
  }
}
