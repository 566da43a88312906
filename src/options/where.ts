/** The engines and transports that have an option, and the error for the others. */
import { usageError } from '../vocabulary/errors.ts'
import { engineNames, engineSpeaks, type EngineName } from '../vocabulary/engine-names.ts'
import {
  isOverTcp,
  transportNames,
  transports,
  type Carries,
  type TransportName,
} from '../vocabulary/transport.ts'
import { optionsIn, valueIn, type Option, type Table, type Where } from './form.ts'

const thatHave = (has: (row: (typeof transports)[TransportName]) => boolean) =>
  transportNames.filter(name => has(transports[name]))
/** The transports that have connections. */
export const connected = thatHave(({ carries }) => carries !== 'datagrams')
/** The transports that have network addresses. */
export const networked = thatHave(({ socket }) => socket.domain === 'inet')
/** The transports that have connections and network addresses. */
export const networkConnected = connected.filter(name => networked.includes(name))
export const overTcp = transportNames.filter(transport => isOverTcp({ transport }))
export const carrying = (what: Carries) => thatHave(({ carries }) => carries === what)
/** The transports that speak this protocol. */
export const speaking = (protocol: 'ws' | 'http') => thatHave(row => row.protocol === protocol)
export const secureTransports = thatHave(({ secure }) => secure)

export const isForEngine = ({ where }: { where?: Where }, engine: EngineName): boolean =>
  where === undefined || where.engines === 'every' || where.engines.includes(engine)
/** Whether an engine speaks a transport of the option, but does not have the option. */
export const isForSomeEngines = ({ where }: { where?: Where }): boolean =>
  where !== undefined &&
  engineNames.some(
    name => where.transports.some(at => engineSpeaks(name, at)) && !isForEngine({ where }, name),
  )
export const isForTransport = ({ where }: { where?: Where }, transport: TransportName): boolean =>
  where?.transports?.includes(transport) ?? true

/** The options that differ from their defaults, also those in groups. */
export const askedFor = (rows: Table, options: object): Option<unknown>[] =>
  optionsIn(rows)
    .map(([, row, path]) => ({ row, value: valueIn(options, path) }))
    .filter(({ row, value }) => value !== undefined && !isSame(value, row.default))
    .map(({ row }) => row)

const isSame = (value: unknown, usual: unknown) => JSON.stringify(value) === JSON.stringify(usual)

/**
 * A server may have several transports, and an option may be for one of them; a client has one.
 * @throws UserError if the transport refuses an option that was given
 */
export function checkTransport(
  asked: readonly Option<unknown>[],
  transport: TransportName,
  of: 'server' | 'client',
): void {
  for (const row of asked) {
    if (isForTransport(row, transport)) continue
    const reason = row.where?.reason?.(transport)
    if (reason !== undefined) throw usageError(reason)
    if (of === 'client')
      throw usageError(`--${row.flag} does nothing on ${transport}.`, 'Leave it out.')
  }
}
