/** The check of what is asked of a udp server. */
import { usageError } from '../vocabulary/errors.ts'
import type { ServingOptions } from '../serving/options.ts'

/** On udp there are no connections, so no clients to be counted, closed or waited for. */
export function checkNoConnections(options: ServingOptions): void {
  const { concurrency, idleTimeoutMs, oneOff } = options
  const senseless = Object.entries({
    'limit of clients': concurrency !== undefined && concurrency !== Infinity,
    'idle timeout': idleTimeoutMs !== undefined,
    'leaving after the first client': oneOff,
  }).find(([, given]) => given)
  if (senseless)
    throw usageError(
      `There is no ${senseless[0]} on udp, as there are no connections.`,
      'Leave that option out, or serve other transports with it in a process of their own.',
    )
}
