/** How many descriptors (sockets, files) this process may have. */
import { readdirSync, readFileSync } from 'node:fs'

/**
 * The soft limit, which Node raises to the hard one when it starts; Infinity where it is unknown.
 * Source: proc_pid_limits(5).
 */
export function descriptorLimit(): number {
  if (process.platform !== 'linux') return Infinity
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft)
}

/** How many descriptors are open now; 0 if that is not known. */
export function descriptorsOpen(): number {
  if (process.platform !== 'linux') return 0
  // One of them is the descriptor of the folder itself.
  return readdirSync('/proc/self/fd').length - 1
}

/**
 * How many descriptors are kept free for everything that is not a client: a paused listener's
 * duplicate, files that are read meanwhile, and one client more for every other listener of this
 * process.
 */
export const reserved = (limit: number): number => Math.min(64, Math.ceil(limit / 8))

/**
 * When to try again if no descriptor is left. (Other things than clients free descriptors, too.)
 */
export const descriptorRetryMs = 100
