/** What makes no sense over HTTP. */
import type { Task } from '../../../task.ts'

/**
 * An answer of HTTP/1.1 does not say to which request it belongs, so a connection has one message
 * in flight.
 */
export function refusesHttpLoad(task: Task): string | undefined {
  if (task.kind !== 'load' || task.depth === 1) return undefined
  if (task.calling.tls?.alpn?.[0] === 'h2') return undefined
  return 'HTTP/1.1 has one message in flight on a connection: use more connections, or --alpn h2.'
}
