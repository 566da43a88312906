/**
 * Sends messages through a ring, and verifies that each comes back. The kernel reads messages from
 * the payload's table in place. Replies are compared with the same table in the buffers of the
 * kernel. Nothing is copied.
 */
import type { Address } from '../../vocabulary/address.ts'
import { nowNs } from '../../vocabulary/clock.ts'
import { Life } from '../../load/life.ts'
import { beatMs } from '../../load/stalls.ts'
import type { Stream } from '../../load/stream.ts'
import { Traffic } from '../../load/traffic.ts'
import { Meter, stopWord } from '../../metrics/meter.ts'
import { transports } from '../../vocabulary/transport.ts'
import type { LoadTask } from '../../task.ts'
import { Effort } from '../effort.ts'
import type { ThreadResult, OpenTask } from '../engine.ts'
import { explain, failureName } from '../failures.ts'
import { KernelClock } from '../os/kernel-clock.ts'
import { loadLibc, type Libc, type Mapping } from '../os/libc.ts'
import { loadOpenSsl, type OpenSsl } from '../os/openssl.ts'
import { isStamped } from '../stamped.ts'
import type { LinkParts } from './client-links.ts'
import { dialAll, type Failure } from './dial.ts'
import { RunningDials } from './running-dials.ts'
import { kind, completionOf, slotOf, type Unanswered } from './entries.ts'
import { Handshaking } from './handshaking.ts'
import * as k from './kernel.ts'
import { LoadInput } from './load-input.ts'
import type { LoadLinks } from './load-links.ts'
import type { LoadMover } from './load-mover.ts'
import { LoadSlots } from './load-slots.ts'
import { PlainLinks } from './plain-links.ts'
import { Redials } from './redials.ts'
import { Ring } from './ring.ts'
import { ShortSlots, shortSlotsFor } from './short-slots.ts'
import { TlsLoadSlots } from './tls/load-slots.ts'
import { WaitArgument } from './wait-argument.ts'
import { WsLoadSlots } from './ws/load-slots.ts'
import { WssLoadSlots } from './ws/secure-load-slots.ts'

const ringEntries = 4096
const ringCompletions = 16_384
/** How often to look for timeouts, and at the stop word. */
const tickMs = 50
/** The clock is read again after this many completions. */
const readsPerClock = 8

export async function openLoad(task: LoadTask, meter: Meter): Promise<OpenTask> {
  // Without steady connections nothing else would find out whether the server is there.
  if (task.connections + task.idle === 0) await probe(task)
  return open(task, meter)
}

async function probe(task: LoadTask): Promise<void> {
  const session = await open({ ...task, connections: 1, churn: undefined }, new Meter())
  session.close()
}

async function open(task: LoadTask, meter: Meter): Promise<OpenLoad> {
  const libc = loadLibc() as Libc
  const ring = new Ring(libc, ringEntries, ringCompletions)
  try {
    const steady = task.connections + task.idle
    const slots = Math.max(1, steady + shortSlotsFor(task, steady))
    ring.registerFileTable(slots)
    const input = new LoadInput(libc, ring, isStamped(task) ? new KernelClock(libc) : undefined)
    const parts = { libc, ring, input, slots }
    const links = linksFor(parts, task, meter)
    const above = links && new Handshaking(parts, links, task, meter)
    const failures = await dialAll(libc, ring, task, meter, above)
    const session = new OpenLoad(parts, task, meter, failures, above)
    await session.prepare()
    return session
  } catch (error) {
    ring.close()
    // Descriptors may have run out since the load was planned.
    throw failureName(error) === 'noDescriptors'
      ? explain('connect to', task.address, error)
      : error
  }
}

/** The connections above the sockets (TLS, WebSocket); undefined for plain streams. */
function linksFor(parts: LinkParts, task: LoadTask, meter: Meter): LoadLinks | undefined {
  const { protocol, secure } = transports[task.address.transport]
  const isWs = protocol === 'ws'
  if (!secure && isWs) return new WsLoadSlots(parts, task, meter)
  if (!secure) return task.churn ? new PlainLinks(parts, meter) : undefined
  const Links = isWs ? WssLoadSlots : TlsLoadSlots
  return new Links({ ...parts, ssl: loadOpenSsl() as OpenSsl }, task, meter)
}

class OpenLoad implements OpenTask {
  readonly address: Address
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #meter: Meter
  readonly #input: LoadInput
  readonly #argument: WaitArgument
  readonly #traffic: Traffic
  readonly #effort: Effort
  readonly #dials: RunningDials | undefined
  readonly #redials: Redials | undefined
  readonly #shorts: ShortSlots | undefined
  readonly #slots: LoadMover
  readonly #life: Life<Stream>
  readonly #table: Mapping

  constructor(
    { libc, ring, input, slots }: LinkParts,
    task: LoadTask,
    meter: Meter,
    failures: Failure[],
    above: Handshaking | undefined,
  ) {
    this.address = task.address
    this.#libc = libc
    this.#ring = ring
    this.#meter = meter
    this.#input = input
    this.#argument = new WaitArgument(libc)
    let table: Mapping | undefined
    this.#traffic = new Traffic(task, meter, sizeBytes => {
      table = libc.map(sizeBytes)
      return Buffer.from(table.memory)
    })
    this.#table = table!
    this.#effort = new Effort(this.#traffic)
    const { address } = this.#table
    const count = task.connections + task.idle
    const traffic = this.#traffic
    const links = above?.slots
    const dials =
      task.reconnect || task.churn ? new RunningDials(libc, ring, task, links) : undefined
    const onOpen = (stream: Stream, now: number) => this.#slots.reopen(stream, now)
    this.#dials = dials
    this.#redials = task.reconnect ? new Redials(task, traffic, dials!, onOpen) : undefined
    const places = { first: count, count: slots - count }
    this.#shorts = task.churn && new ShortSlots(task, traffic, links!, dials!, places)
    links?.start(traffic, address, this.#redials)
    traffic.stalls.stamped = input.clock !== undefined
    this.#slots = links ?? new LoadSlots(ring, input, traffic, this.#redials, address, count)
    for (const { slot, error } of failures) this.#slots.failed(slot, error)
    const measure = (now: number) => {
      this.#effort.update(now)
      input.clock?.check()
    }
    const short = this.#shorts?.churn
    this.#life = new Life(this.#traffic, this.#slots, { tickMs, short, measure })
  }

  /** Looks up the addresses of short connections before the first one is due. */
  async prepare(): Promise<void> {
    if (this.#shorts) await this.#dials!.lookUp()
  }

  get result(): ThreadResult {
    const { log, stageLogs: stages, evidence, measureFromNs } = this.#traffic
    const { wrong, reasons } = evidence
    const outages = this.#traffic.outages?.since(measureFromNs)
    const { log: churn, lateNs: churnLateNs } = this.#shorts?.churn ?? {}
    const effort = this.#effort.result
    return { wrong, reasons, log, stages, outages, churn, churnLateNs, effort }
  }

  /** No call can reach this while run() blocks the thread: the meter's stop word does. */
  stop(): void {}

  /** Blocks this thread until all connections are closed. */
  async run(startNs: number): Promise<void> {
    const [life, slots, dials, meter] = [this.#life, this.#slots, this.#dials, this.#meter]
    let now = nowNs()
    slots.receive(now)
    life.start(startNs, now)
    this.#effort.update(now)
    for (;;) {
      const { stopping } = meter
      if (stopping !== stopWord.run) life.stop(now, stopping === stopWord.now)
      life.turn(now)
      if (life.ended) break
      dials?.turn(now)
      this.#redials?.turn(now)
      this.#shorts?.turn(now)
      slots.flush()
      slots.endTurn?.()
      const began = now
      const worked = this.#wait(now)
      now = nowNs()
      if (!worked && now < life.dueNs) this.#effort.waited(now - began)
      if (dials?.isLooking) await turnOfNode()
    }
    this.close()
    // Node reports garbage collections in a turn of its own loop.
    await turnOfNode()
  }

  /** Submits, and waits for whatever comes first. Returns whether there was something to do. */
  #wait(now: number): boolean {
    const [ring, argument] = [this.#ring, this.#argument]
    const { GETEVENTS, EXT_ARG } = k.enter
    const { dueNs, tickNs } = this.#life
    const dialNs = Math.min(this.#dials?.nextNs(now) ?? Infinity, this.#redials?.nextNs ?? Infinity)
    const leftNs = Math.min(dueNs, tickNs, dialNs, now + beatMs * 1e6) - now
    this.#traffic.stalls.expect(now, now + Math.max(0, leftNs))
    if (leftNs > 0 && !this.#slots.hasDirty) {
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
    const ring = this.#ring
    ring.submitAll()
    this.#reap()
    // Completions that overflowed the queue: the result of a send may be among them.
    while (ring.words[ring.sqFlags]! & k.sq.CQ_OVERFLOW) {
      ring.flush()
      this.#reap()
    }
  }

  #reap(): void {
    const ring = this.#ring
    const { words, cqHead, cqTail, cqes } = ring
    const mask = ring.completions - 1
    let head = words[cqHead]!
    const tail = Atomics.load(words, cqTail)
    let now = nowNs()
    for (let n = 0; head !== tail; head = (head + 1) | 0, n++) {
      const at = cqes + ((head & mask) << 2)
      const user0 = words[at]!
      const slot = slotOf(user0)
      const result = words[at + 2]!
      if (n % readsPerClock === readsPerClock - 1) now = nowNs()
      const of = completionOf(user0)
      switch (of) {
        case kind.RECV:
          this.#slots.onRecv(slot, words[at + 1]!, result, words[at + 3]!, now)
          break
        case kind.SEND:
          this.#slots.onSendFailed(slot, words[at + 1]!, result)
          break
        case kind.REST:
          this.#slots.onSent(slot, words[at + 1]!, result)
          break
        case kind.CONNECT:
          this.#dials?.onConnected(slot, words[at + 1]!, result, now)
          break
        case kind.FINISHED:
          this.#shorts?.onFinished(slot)
          break
        // Other kinds need no handling here.
        default:
          of satisfies Unanswered | typeof kind.TICK
      }
    }
    Atomics.store(words, cqHead, head)
    this.#input.bufferRing.publish()
  }

  close(): void {
    this.#slots.closeAll()
    this.#ring.submitAll()
    this.#ring.close()
    this.#slots.close?.()
    this.#input.close()
    this.#dials?.close()
    this.#argument.close()
    this.#libc.unmap(this.#table)
  }
}

/** A turn of Node's event loop: while the ring blocks this thread, Node can do nothing. */
const turnOfNode = () => new Promise(resolve => setImmediate(resolve))
