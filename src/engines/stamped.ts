/**
 * Whether the kernel says when replies come to a load (SO_TIMESTAMPNS, socket(7)): then a reply
 * that waits until its thread reads it does not count as late. The kernel has no stamps for unix
 * sockets.
 */
import type { LoadTask } from '../task.ts'
import { transports } from '../vocabulary/transport.ts'

/** A closed loop with at most this much in flight per thread is light: stamps cost it little. */
const lightMessages = 64
const lightBytes = 4_096

/**
 * Stamps cost a closed loop processor time, so it has none.
 * @param whenLight a closed loop has stamps, too, if it is light
 */
export function isStamped(task: LoadTask, whenLight = false): boolean {
  const { address, pace } = task
  if (transports[address.transport].socket.domain !== 'inet') return false
  return pace !== undefined || (whenLight && isLight(task))
}

function isLight({ connections, depth, sizes }: LoadTask): boolean {
  const isSmall = sizes.every(({ maxBytes }) => maxBytes <= lightBytes)
  return isSmall && connections * depth <= lightMessages
}
