/** How much others take of the machine while something is measured. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Linux counts processor time in hundredths of a second. */
const tickMs = 10

interface Reading {
  atMs: number
  /** Processor time of all processes, in milliseconds; what a hypervisor took counts as well. */
  allMs: number
  ownMs: number
}

/** Reads the times of this process and its threads, and of other processes by their number. */
function read(pids: readonly number[]): Reading | undefined {
  try {
    const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]!
      .split(/ +/)
      .map(Number)
    const ticks = user! + nice! + system! + irq! + softirq! + steal!
    const own = [process.pid, ...pids].map(pid => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return Number(fields[11]) + Number(fields[12])
    })
    const ownTicks = own.reduce((sum, each) => sum + each, 0)
    return { atMs: performance.now(), allMs: ticks * tickMs, ownMs: ownTicks * tickMs }
  } catch {
    return undefined
  }
}

/** Begins to watch; the returned function says what share of one processor others have taken. */
export function watchOthers(pids: readonly number[]): () => number | undefined {
  const before = read(pids)
  return () => {
    const after = read(pids)
    if (!before || !after) return undefined
    const others = after.allMs - before.allMs - (after.ownMs - before.ownMs)
    return Math.max(0, others) / (after.atMs - before.atMs)
  }
}

/** With more of it a run is not called quiet: a tenth of all processors by default. */
export const quietShare = Number(process.env['QUIET_SHARE'] ?? 0.1) * availableParallelism()
