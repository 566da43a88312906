/**
 * The threads on which V8 compiles and collects garbage for all others. The thread that has work
 * for one of them wakes it, often on its own processor, and then loses that processor for some
 * milliseconds.
 */
import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'

/**
 * The niceness of these threads: they get a tenth of the share of a usual thread (sched(7)), so
 * they go on compiling.
 */
const niceness = 10

/**
 * Lets these threads run only when others do not need the processor. To be called before the
 * program starts threads of its own, since it changes all threads but the calling one. That cannot
 * be undone without privileges, so it is for programs, not for a library. Linux only: there a
 * thread has a niceness of its own.
 */
export function lowerBackgroundThreads(): void {
  if (process.platform !== 'linux') return
  for (const name of readdirSync('/proc/self/task')) {
    const tid = Number(name)
    if (tid === process.pid) continue
    try {
      setPriority(tid, niceness)
    } catch {
      // The thread has ended meanwhile, or may not be changed.
    }
  }
}
