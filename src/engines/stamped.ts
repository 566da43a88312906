/**
 * Whether the kernel says when replies come to a load (SO_TIMESTAMPNS, socket(7)): then a reply
 * that waits until its thread reads it does not count as late. Two kinds of loads have no stamps:
 * closed loops, since stamps cost them processor time, and unix sockets, for which the kernel has
 * no stamps.
 */
import type { LoadTask } from '../task.ts'
import { transports } from '../vocabulary/transport.ts'

export function isStamped({ address, pace }: LoadTask): boolean {
  return pace !== undefined && transports[address.transport].socket.domain === 'inet'
}
