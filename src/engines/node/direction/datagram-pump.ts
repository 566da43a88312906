/** Sends the datagrams of a sender, each at its instant. */
import type { DatagramSender } from '../../../load/direction/datagram-sender.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { openAlarm, type Alarm } from '../../os/alarm.ts'

/** With more datagrams in the socket none is sent: they are late then, and it shows. */
const queuedMax = 256
/** In one turn of the loop: what comes has to be read, too. */
const perTurnMax = 64
/** An alarm may be late by half of that; for the rest the loop spins. */
const alarmLeadNs = 100e3
const sleepMinNs = 150e3
const timerSlackNs = 2e6

interface Outlet {
  send(datagram: Buffer): void
  readonly queued: number
}

export class DatagramPump {
  readonly #sender: DatagramSender
  readonly #outlet: Outlet
  readonly #alarm: Alarm | undefined
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #begun = false
  #ended = false

  constructor(sender: DatagramSender, outlet: Outlet) {
    this.#sender = sender
    this.#outlet = outlet
    this.#alarm = openAlarm(() => this.#turnSoon())
  }

  begin(): void {
    if (this.#begun || this.#ended) return
    this.#begun = true
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
    for (let n = 0; n < perTurnMax && this.#outlet.queued < queuedMax; n++) {
      const datagram = this.#sender.take(nowNs())
      if (!datagram) break
      this.#outlet.send(datagram)
    }
    this.#wait()
  }

  readonly #turnSoon = (): void => {
    if (!this.#ended) this.#immediate ??= setImmediate(this.#turn)
  }

  #wait() {
    if (this.#ended) return
    const leftNs = this.#sender.dueNs - nowNs()
    if (this.#alarm && leftNs > sleepMinNs) this.#alarm.set(this.#sender.dueNs - alarmLeadNs)
    else if (!this.#alarm && leftNs > timerSlackNs)
      this.#timer = setTimeout(this.#turnSoon, (leftNs - timerSlackNs) / 1e6 + 1)
    else this.#turnSoon()
  }
}
