/** Sends datagrams over node:dgram, and counts what became of each. */
import type { Socket } from 'node:dgram'
import type { HostAddress } from '../../../vocabulary/address.ts'
import { usageError } from '../../../vocabulary/errors.ts'
import type { DatagramStream } from '../../../load/datagram-stream.ts'
import { DatagramTraffic } from '../../../load/datagram-traffic.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { LoadTask } from '../../../task.ts'
import { Effort } from '../../effort.ts'
import type { Outcome, Session } from '../../engine.ts'
import { errnoOf, explain, failureName, reasonWhy } from '../../failures.ts'
import { Candidates, ipv4MaxBytes, ipv6MaxBytes, keepFreed } from './socket.ts'

/** How many sockets are made, and begin to send, at once. */
const togetherMax = 256
const beginnersMax = 32
/** With more datagrams in the socket none is sent: they wait in the stream. */
const unsentMax = 64
/** Node's timers may be late by this; for the rest of the time before a datagram it spins. */
const timerSlackNs = 2e6
/** How often lost datagrams are looked for: a tenth of the timeout, within these bounds. */
const tickMinMs = 1
const tickMaxMs = 100
/** After the last echo a duplicate may still come. */
const lingerMs = 50

/** Sends nothing before run(), so only run() shows whether a server listens. */
export async function openDatagramLoad(task: LoadTask, meter: Meter): Promise<Session> {
  keepFreed()
  const places: Place[] = []
  const wanted = task.address as HostAddress
  try {
    if (wanted.port === 0)
      throw usageError('Nobody can be reached on port 0.', 'Port 0 is only for listening.')
    const candidates = await Candidates.of(wanted)
    for (const host of candidates.hosts) checkFits(task, host)
    const traffic = new DatagramTraffic(task, meter)
    while (places.length < task.connections) {
      const missing = Math.min(togetherMax, task.connections - places.length)
      const startNs = nowNs()
      const found = Array.from({ length: missing }, () => placeAt(candidates.again()))
      for (const place of await Promise.all(found)) places.push(place)
      for (let n = 0; n < missing; n++) meter.histograms.connect.record(nowNs() - startNs)
      meter.counters[counter.opened]! += missing
    }
    return new DatagramLoad(task, meter, traffic, places)
  } catch (error) {
    for (const { socket } of places) socket.close()
    throw errnoOf(error) === '' ? error : explain('connect to', wanted, error)
  }
}

/** A socket, and its next addresses if no process listens there. */
interface Place {
  socket: Socket
  readonly candidates: Candidates
  moving: boolean
}

const placeAt = async (candidates: Candidates): Promise<Place> => ({
  socket: await candidates.connect(),
  candidates,
  moving: false,
})

function checkFits({ sizes }: LoadTask, host: string) {
  const maxBytes = host.includes(':') ? ipv6MaxBytes : ipv4MaxBytes
  const longest = Math.max(...sizes.map(size => size.maxBytes))
  if (longest > maxBytes)
    throw usageError(`A datagram to ${host} has ${maxBytes} bytes at most, not ${longest}.`)
}

class DatagramLoad implements Session {
  readonly address: HostAddress
  readonly #task: LoadTask
  readonly #meter: Meter
  readonly #traffic: DatagramTraffic
  readonly #effort: Effort
  /** By the number of their stream. */
  readonly #places: Place[]
  /** Why connections failed, where more is known than the class. */
  readonly #reasons = new Map<FailureName, string>()
  #ended = false
  #timers: NodeJS.Timeout[] = []
  #pacing: NodeJS.Timeout | undefined
  /** Until then #pace sleeps; 0 if it does not. */
  #asleepUntilNs = 0
  #windingDown = false
  #doneSinceNs: number | undefined
  #lookedAtNs = 0
  #chunksSeen = 0
  #finish!: () => void
  readonly #finished = new Promise<void>(resolve => (this.#finish = resolve))

  constructor(task: LoadTask, meter: Meter, traffic: DatagramTraffic, places: Place[]) {
    this.address = task.address as HostAddress
    this.#task = task
    this.#meter = meter
    this.#traffic = traffic
    this.#effort = new Effort(traffic)
    if (traffic.thinking)
      traffic.thinking.onSooner = () => {
        if (traffic.nextNs >= this.#asleepUntilNs) return
        this.#asleepUntilNs = 0
        clearTimeout(this.#pacing)
        setImmediate(this.#pace)
      }
    this.#places = places
    for (const stream of traffic.streams) this.#listen(stream)
  }

  #listen(stream: DatagramStream) {
    const { socket } = this.#places[stream.index]!
    socket.on('message', data => {
      stream.arrived(data, nowNs())
      this.#send(stream)
    })
    socket.on('error', error => this.#onError(stream, socket, error))
  }

  #onError(stream: DatagramStream, socket: Socket, error: Error) {
    const place = this.#places[stream.index]!
    if (this.#ended || place.moving || socket !== place.socket) return
    const mayMove = !stream.proven && place.candidates.hasNext
    if (mayMove && errnoOf(error) === 'ECONNREFUSED') void this.#move(stream, place)
    else this.#fail(stream, error)
  }

  /** To the next address of the name: what is under way is sent again there, and not counted. */
  async #move(stream: DatagramStream, place: Place) {
    place.moving = true
    place.socket.close()
    try {
      place.socket = await place.candidates.connect()
    } catch (error) {
      return this.#fail(stream, error as Error)
    }
    if (this.#ended) return void place.socket.close()
    place.moving = false
    this.#listen(stream)
    const { socket } = place
    for (const [sequence, datagram] of stream.unanswered())
      socket.send(datagram, this.#onSent(stream, socket, sequence))
    this.#send(stream)
  }

  /** @param sequence of one that is sent again, and may be counted already */
  #onSent(stream: DatagramStream, socket: Socket, sequence?: number) {
    return (error: Error | null) => {
      if (error) this.#onError(stream, socket, error)
      else if (socket === this.#places[stream.index]!.socket) stream.handedOver(sequence)
    }
  }

  get outcome(): Outcome {
    const { wrong, log } = this.#traffic
    return { wrong, log, reasons: this.#reasons, busyShare: this.#effort.busyShare }
  }

  /** Above all ECONNREFUSED: the other machine has said that no process listens there (ICMP). */
  #fail(stream: DatagramStream, error: Error) {
    const [name, reason] = [failureName(error), reasonWhy(error)]
    stream.fail(counter[name])
    if (reason !== undefined) this.#reasons.set(name, reason)
    if (this.#traffic.streams.every(({ failed }) => failed)) this.#end()
  }

  #send(stream: DatagramStream) {
    const { socket, moving } = this.#places[stream.index]!
    if (moving) return
    const onSent = this.#onSent(stream, socket)
    while (!this.#ended && socket.getSendQueueCount() < unsentMax) {
      const datagram = stream.take(nowNs())
      if (!datagram) break
      socket.send(datagram, onSent)
    }
  }

  run(startNs: number): Promise<void> {
    this.#traffic.start(startNs)
    const tickMs = Math.min(tickMaxMs, Math.max(tickMinMs, this.#task.timeoutMs / 10))
    this.#timers.push(setInterval(() => setImmediate(this.#tick), tickMs))
    this.#lookedAtNs = nowNs()
    this.#pace()
    if (!this.#traffic.openLoop) this.#begin(0)
    return this.#finished
  }

  /** Not all at once: the first datagrams of many would be more than a socket buffer holds. */
  #begin(from: number) {
    if (this.#ended) return
    const to = Math.min(from + beginnersMax, this.#places.length)
    for (const stream of this.#traffic.streams.slice(from, to)) this.#send(stream)
    if (to < this.#places.length) setTimeout(() => this.#begin(to), 1)
  }

  /** Sends what is due, and runs again when the next datagram is due. */
  readonly #pace = (): void => {
    if (this.#ended) return
    const now = nowNs()
    this.#accountForWaiting(now)
    this.#traffic.plan(now, stream => this.#send(stream))
    if (this.#traffic.over) return this.#windDown()
    const { nextNs, thinking } = this.#traffic
    // A think time need not be that exact.
    const slackNs = thinking ? 0 : timerSlackNs
    const waitMs = Math.min((nextNs - nowNs() - slackNs) / 1e6, timerMaxMs)
    this.#asleepUntilNs = waitMs <= 0 ? 0 : nextNs
    // At high rates an open loop spins: a late timer would be measured as response time.
    if (waitMs <= 0) setImmediate(this.#pace)
    else {
      this.#lookedAtNs = 0
      this.#pacing = setTimeout(this.#pace, waitMs)
    }
  }

  /** A turn in which nothing was due and nothing came counts as waiting, though it used the CPU. */
  #accountForWaiting(now: number) {
    const chunks = this.#meter.counters[counter.chunks]!
    const idle = chunks === this.#chunksSeen && now < this.#traffic.nextNs
    if (idle && this.#lookedAtNs > 0) this.#effort.waited(now - this.#lookedAtNs)
    this.#chunksSeen = chunks
    this.#lookedAtNs = now
  }

  /** What has come is read first: the lateness of this thread is not the server's. */
  readonly #tick = (): void => {
    if (this.#ended) return
    const now = nowNs()
    this.#traffic.tick(now, stream => this.#send(stream))
    this.#effort.update(now)
    if (this.#traffic.over) this.#windDown()
  }

  /**
   * Nothing more is planned: datagrams under way or late have their time, and duplicates a moment.
   */
  #windDown() {
    const now = nowNs()
    if (!this.#windingDown) {
      this.#windingDown = true
      this.#effort.update(now)
      const drainMs = Math.min(this.#task.drainMs, timerMaxMs)
      this.#timers.push(setTimeout(() => this.#end(), drainMs))
      for (const stream of this.#traffic.streams) this.#send(stream)
    }
    if (!this.#traffic.done || this.#traffic.awaitsLate(now) || this.#doneSinceNs !== undefined)
      return
    this.#doneSinceNs = now
    this.#timers.push(setTimeout(() => setImmediate(() => this.#end()), lingerMs))
  }

  #end() {
    if (this.#ended) return
    this.#ended = true
    const now = nowNs()
    this.#traffic.die(now)
    this.#effort.update(now)
    for (const timer of [this.#pacing, ...this.#timers]) clearTimeout(timer)
    for (const { socket, moving } of this.#places) if (!moving) socket.close()
    this.#meter.counters[counter.closed]! += this.#places.length
    this.#finish()
  }

  stop(now: boolean): void {
    this.#traffic.stop(nowNs())
    if (now) this.#end()
    else this.#windDown()
  }
}
