/**
 * Whether the kernel says when replies come to a load (SO_TIMESTAMPNS, socket(7)): then a reply
 * that waits until its thread reads it is not told as late. Closed loops go without, since stamps
 * cost them a tenth of their speed; unix sockets have none, and TLS and WebSocket have ways of
 * their own to read.
 */
import type { LoadTask } from '../../task.ts'
import { transports } from '../../vocabulary/transport.ts'

export function isStamped({ address, pace }: LoadTask): boolean {
  const { socket, secure, protocol } = transports[address.transport]
  return pace !== undefined && socket.domain === 'inet' && !secure && protocol === 'plain'
}
