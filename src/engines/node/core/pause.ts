/**
 * A pause of a fraction of a millisecond, in which bytes gather. A thread that wakes for each piece
 * of a fast stream spends more on waking than on the bytes. All users of a thread pause together.
 */
import { nowNs } from '../../../vocabulary/clock.ts'
import { openAlarm, type Alarm } from '../../os/alarm.ts'

const pauseNs = 300e3

let alarm: Alarm | undefined
let users = 0
const waiting = new Set<() => void>()

export class Pause {
  #isOver = false

  /** Joins the pauses of this thread; undefined if the system has no timer for them. */
  static join(): Pause | undefined {
    alarm ??= openAlarm(goOn)
    if (!alarm) return undefined
    users++
    return new Pause()
  }

  /** Calls back after a pause. If a pause is under way, it calls back at its end. */
  begin(after: () => void): void {
    if (waiting.size === 0) alarm!.set(nowNs() + pauseNs)
    waiting.add(after)
  }

  /** To be called once: the timer keeps the thread alive. Callbacks that wait are called first. */
  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (--users > 0) return
    goOn()
    alarm?.close()
    alarm = undefined
  }
}

function goOn() {
  const all = [...waiting]
  waiting.clear()
  for (const after of all) after()
}
