/** Sends the datagrams of a sender, each at its instant. */
import type { DatagramSender } from '../../../load/direction/datagram-sender.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { openAlarm, type Alarm } from '../../os/alarm.ts'
import type { DatagramTrain } from '../../os/datagram-train.ts'
import { askForShortTimeSlices } from '../../os/time-slice.ts'
import { askForExactTimers } from '../../os/timer-slack.ts'

/**
 * The most datagrams that may wait in the socket. A datagram that has to wait for room is late, and
 * counts as late.
 */
const queuedMax = 256
/** How many are sent in one turn of the loop: arriving datagrams have to be read, too. */
const perTurnMax = 64
/** An alarm may be late by half of that; for the rest the loop spins. */
const alarmLeadNs = 100e3
const sleepMinNs = 150e3
const timerSlackNs = 2e6
/** From this rate on, several datagrams are sent together. */
export const togetherFrom = 20_000
/** How long a datagram may wait for others. */
const gatherNs = 250e3
const trainsPerTurn = 4

/**
 * Whether this thread has asked for exact timers. A thread that sends a load has done so at its
 * start; a thread that serves does so here.
 */
let isPunctual = false
function bePunctual() {
  if (isPunctual) return
  isPunctual = true
  askForShortTimeSlices()
  askForExactTimers()
}

interface DatagramOutlet {
  send(datagram: Buffer): void
  readonly queued: number
  /** Sends several at a time, where the system can; `descriptor` is that of the socket. */
  train(): DatagramTrain | undefined
  readonly descriptor: number | undefined
  /** Called with the result of a train. */
  sent(bytes: number): void
  failed(code: string): void
}

export class DatagramPump {
  readonly #sender: DatagramSender
  readonly #outlet: DatagramOutlet
  readonly #alarm: Alarm | undefined
  #train: DatagramTrain | undefined
  /** Bytes of the train that the system had no room for. */
  #waiting = 0
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #begun = false
  #ended = false

  constructor(sender: DatagramSender, outlet: DatagramOutlet) {
    this.#sender = sender
    this.#outlet = outlet
    this.#alarm = openAlarm(() => this.#turnSoon())
    // Without an alarm the loop spins, and sends each datagram by itself.
    if (this.#alarm && sender.ratePerSecond >= togetherFrom) this.#train = outlet.train()
  }

  begin(): void {
    if (this.#begun || this.#ended) return
    this.#begun = true
    bePunctual()
    this.#sender.begin(nowNs())
    this.#turn()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#alarm?.close()
  }

  readonly #turn = (): void => {
    this.#immediate = undefined
    if (this.#train) this.#sendTogether(this.#train)
    else
      for (let n = 0; n < perTurnMax && this.#outlet.queued < queuedMax; n++) {
        const datagram = this.#sender.take(nowNs())
        if (!datagram) break
        this.#outlet.send(datagram)
      }
    this.#wait()
  }

  #sendTogether(train: DatagramTrain) {
    const { descriptor } = this.#outlet
    if (descriptor === undefined) return this.#sendSingly(train)
    for (let n = 0; n < trainsPerTurn && !this.#ended; n++) {
      const now = nowNs()
      if (this.#waiting > 0) this.#sender.stampAgain(train.room, this.#waiting, now)
      else this.#waiting = this.#sender.takeInto(train.room, now) * this.#sender.sizeBytes
      if (this.#waiting === 0) return
      const sent = train.send(descriptor, this.#waiting)
      if (sent === 'full') return
      if (sent === 'cannot') return this.#sendSingly(train)
      if (typeof sent === 'object') this.#outlet.failed(sent.failed)
      else this.#outlet.sent(this.#waiting)
      this.#sender.sent(now)
      this.#waiting = 0
    }
  }

  /** From now on each datagram is sent by itself. */
  #sendSingly({ room }: DatagramTrain) {
    const { sizeBytes } = this.#sender
    this.#train = undefined
    for (let at = 0; at < this.#waiting; at += sizeBytes)
      this.#outlet.send(Buffer.from(room.subarray(at, at + sizeBytes)))
    this.#sender.sent(nowNs())
    this.#waiting = 0
  }

  readonly #turnSoon = (): void => {
    if (!this.#ended) this.#immediate ??= setImmediate(this.#turn)
  }

  #wait() {
    if (this.#ended) return
    const { dueNs } = this.#sender
    const leftNs = dueNs - nowNs()
    if (this.#train && this.#waiting === 0 && leftNs > -gatherNs)
      return this.#alarm!.set(dueNs + gatherNs)
    if (this.#alarm && leftNs > sleepMinNs) this.#alarm.set(dueNs - alarmLeadNs)
    else if (!this.#alarm && leftNs > timerSlackNs)
      this.#timer = setTimeout(this.#turnSoon, (leftNs - timerSlackNs) / 1e6 + 1)
    else this.#turnSoon()
  }
}
