/** Which faults apply to which transport, and the errors for the others. */
import { formatAddress, isPublic, type Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { listed } from '../vocabulary/text.ts'
import {
  isDatagrams,
  transportNames,
  transports,
  type Carries,
  type TransportName,
} from '../vocabulary/transport.ts'
import { faultKinds, kindOf, type FaultSpec } from './index.ts'
import { checkFault } from './parse.ts'

export const appliesTo = (kind: FaultSpec['kind'], transport: TransportName): boolean =>
  kindOf(kind)!.carries.includes(transports[transport].faults)

const phrases: Record<Carries, string> = {
  bytes: 'a stream of bytes',
  messages: 'messages',
  datagrams: 'datagrams, and no connections',
}

/**
 * Checks faults for a server there.
 * @throws UserError if a fault is not valid, or does not apply to this transport
 */
export function checkFaults(faults: readonly FaultSpec[], address: Address): void {
  const { transport } = address
  for (const fault of faults) {
    checkFault(fault)
    const { kind } = fault
    if (!appliesTo(kind, transport)) {
      const names = transportNames.filter(name => appliesTo(kind, name))
      const what = kindOf(kind)!.carries.includes('bytes') ? 'connections' : 'messages'
      const has = phrases[transports[transport].faults]
      const others = faultKinds.filter(other => appliesTo(other, transport)).join(', ')
      throw usageError(
        `${kind} is for ${what}: ${listed(names)}; ${transport} has ${has}.`,
        `Faults for ${transport} are ${others}.`,
      )
    }
    if (kind === 'duplicate' && isDatagrams(address) && isPublic(address))
      throw usageError(
        `duplicate on ${transport} is for loopback only, and ${formatAddress(address)} is not.`,
        'With a forged source, duplicates could flood another machine.',
      )
  }
}
