/** What this thread had of a processor: proc_pid_schedstat(5). */
import { readFileSync } from 'node:fs'

export interface ThreadTimes {
  /** On a processor; the current turn may be missing, up to a tick of the kernel. */
  cpuNs: number
  /** In the queue for one, exactly. */
  queuedNs: number
}

/** Undefined where the system does not say. */
export function threadTimes(): ThreadTimes | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const text = readFileSync('/proc/thread-self/schedstat', 'latin1')
    const [cpuNs, queuedNs] = text.split(' ').map(Number)
    return cpuNs! > 0 ? { cpuNs: cpuNs!, queuedNs: queuedNs! } : undefined
  } catch {
    return undefined
  }
}
