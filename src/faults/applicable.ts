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
import type { FaultDefinition } from './fault.ts'
import { faultKinds, faultKindOf, type FaultSpec } from './index.ts'
import { checkFault } from './parse.ts'

/** The part of a definition that says where a fault works. */
type Placed = Pick<FaultDefinition<{ kind: string }>, 'kind' | 'carries' | 'amplifies'>

const fits = ({ carries }: Placed, transport: TransportName): boolean =>
  carries.includes(transports[transport].faults)

export const appliesTo = (kind: FaultSpec['kind'], transport: TransportName): boolean =>
  fits(faultKindOf(kind)!, transport)

const phrases: Record<Carries, string> = {
  bytes: 'a stream of bytes',
  messages: 'messages',
  datagrams: 'datagrams, and no connections',
}

/**
 * Checks the faults of a server that listens on this address.
 * @throws UserError if a fault is not valid, or does not apply to this transport
 */
export function checkFaults(faults: readonly FaultSpec[], address: Address): void {
  for (const fault of faults) {
    checkFault(fault)
    checkPlace(faultKindOf(fault.kind)!, address)
  }
}

/**
 * @throws UserError if such a fault does not apply to this transport, or could harm others there
 */
export function checkPlace(definition: Placed, address: Address): void {
  const { kind, carries, amplifies } = definition
  const { transport } = address
  if (!fits(definition, transport)) {
    const names = transportNames.filter(name => fits(definition, name))
    const has = phrases[transports[transport].faults]
    const others = faultKinds.filter(other => appliesTo(other, transport)).join(', ')
    throw usageError(
      `${kind} is for ${neededBy(carries)}: ${listed(names)}; ${transport} has ${has}.`,
      `Faults for ${transport} are ${others}.`,
    )
  }
  if (amplifies && isDatagrams(address) && isPublic(address))
    throw usageError(
      `${kind} on ${transport} is for loopback only, and ${formatAddress(address)} is not.`,
      `With a forged source, ${kind} could flood another machine.`,
    )
}

function neededBy(carries: readonly Carries[]): string {
  if (carries.includes('bytes')) return 'connections'
  return carries.includes('messages') ? 'messages' : 'datagrams'
}
