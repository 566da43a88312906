/** How much processor time this thread had: proc_pid_schedstat(5). */
import { openSync, readSync } from 'node:fs'

export interface ThreadTimes {
  /** On a processor; the current turn may be missing, up to a tick of the kernel. */
  cpuNs: number
  /** In the queue for one, exactly. */
  queuedNs: number
}

/** Longer than any such line. */
const buffer = new Uint8Array(96)
/** Kept open: to open it each time would take longer than to read it. Node closes it in the end. */
let file: number | undefined

/** Undefined where the system does not say. */
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
