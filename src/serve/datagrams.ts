/** What can be asked of a server of datagrams. */
import { usageError } from '../errors.ts'
import { datagramRules, type DatagramRules } from '../transport.ts'

/** @throws UserError if they make no sense */
export function checkRules({ ratePerSource, allow }: DatagramRules): void {
  if (ratePerSource !== undefined && !(ratePerSource > 0))
    throw usageError('The rate to one source must be more than 0.', 'Or `unlimited`.')
  const unknown = allow.find(rule => !datagramRules.includes(rule))
  if (unknown !== undefined)
    throw usageError(`'${unknown}' is no rule.`, `The rules are ${datagramRules.join(', ')}.`)
}

/** Of all that a server can be told: what has to do with clients who come and go. */
interface OfConnections {
  concurrency?: number
  idleTimeoutMs?: number
  oneOff?: boolean
}

/** Where nobody connects there are no clients to be counted, closed or waited for. */
export function checkNoConnections({ concurrency, idleTimeoutMs, oneOff }: OfConnections): void {
  const senseless = Object.entries({
    'limit of clients': concurrency !== undefined && concurrency !== Infinity,
    'idle timeout': idleTimeoutMs !== undefined,
    'first client after whom to leave': oneOff,
  }).find(([, given]) => given)
  if (senseless)
    throw usageError(
      `There is no ${senseless[0]} on udp, as there are no connections.`,
      'Leave that option out, or serve other transports with it in a process of their own.',
    )
}
