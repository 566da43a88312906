/** How much processor time this thread had: proc_pid_schedstat(5). */
import { openSync, readSync } from 'node:fs'

export interface ThreadTimes {
  /** The time on a processor; up to one tick of the kernel may be missing. */
  cpuNs: number
  /** The time in the queue for a processor; it is exact. */
  queuedNs: number
}

/** A buffer that is longer than any such line. */
const buffer = new Uint8Array(96)
/** The file is kept open: to open it takes longer than to read it. Node closes it at the end. */
let file: number | undefined

/** The times of this thread; undefined if the system does not have them. */
export function threadTimes(): ThreadTimes | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    file ??= openSync('/proc/thread-self/schedstat', 'r')
    const length = readSync(file, buffer, 0, buffer.length, 0)
    const space = buffer.indexOf(spaceCode)
    const cpuNs = numberIn(0, space)
    const queuedNs = numberIn(space + 1, buffer.indexOf(spaceCode, space + 1))
    return length > 0 && cpuNs > 0 ? { cpuNs, queuedNs } : undefined
  } catch {
    return undefined
  }
}

const spaceCode = 0x20
const zeroCode = 0x30

function numberIn(from: number, end: number): number {
  let value = 0
  for (let at = from; at < end; at++) value = value * 10 + buffer[at]! - zeroCode
  return value
}
