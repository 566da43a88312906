/** Connects, over every transport. */
import { usageError } from '../../vocabulary/errors.ts'
import { explain } from '../failures.ts'
import type { Link, Target } from './core/link.ts'
import { nodeTransports } from './transports.ts'

export type { Link, Target } from './core/link.ts'

/**
 * @param signal ends the connection, also while it is made
 * @throws UserError if nothing answers
 */
export function dial(target: Target, timeoutMs = 10_000, signal?: AbortSignal): Promise<Link> {
  const { address } = target
  if (address.transport !== 'unix' && address.port === 0)
    throw usageError('No server can be reached on port 0.', 'Port 0 is only for listening.')
  const { dial } = nodeTransports[address.transport]
  return dial(target, timeoutMs, signal).catch((error: unknown) => {
    throw explain('connect to', address, error)
  })
}
