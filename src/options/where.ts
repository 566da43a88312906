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
/** All transports that have connections. */
export const connected = thatHave(({ carries }) => carries !== 'datagrams')
/** Those that have addresses of a network. */
export const networked = thatHave(({ socket }) => socket.domain === 'inet')
/** Those that have both. */
export const networkConnected = connected.filter(name => networked.includes(name))
export const overTcp = transportNames.filter(transport => isOverTcp({ transport }))
export const carrying = (what: Carries) => thatHave(({ carries }) => carries === what)
/** The transports that speak this protocol. */
export const speaking = (protocol: 'ws' | 'http') => thatHave(row => row.protocol === protocol)
export const secureTransports = thatHave(({ secure }) => secure)

export const isForEngine = ({ where }: { where?: Where }, engine: EngineName): boolean =>
  where === undefined || where.engines === 'every' || where.engines.includes(engine)
/** Whether an engine speaks one of its transports, and does not have it. */
export const isForSomeEngines = ({ where }: { where?: Where }): boolean =>
  where !== undefined &&
  engineNames.some(
    name => where.transports.some(at => engineSpeaks(name, at)) && !isForEngine({ where }, name),
  )
export const isForTransport = ({ where }: { where?: Where }, transport: TransportName): boolean =>
  where?.transports?.includes(transport) ?? true

/** The options that are asked for, those in groups too: they differ from their defaults. */
export const askedFor = (rows: Table, options: object): Option<unknown>[] =>
  optionsIn(rows)
    .map(([, row, path]) => ({ row, value: valueIn(options, path) }))
    .filter(({ row, value }) => value !== undefined && !isSame(value, row.default))
    .map(({ row }) => row)

const isSame = (value: unknown, usual: unknown) => JSON.stringify(value) === JSON.stringify(usual)

/**
 * A server may have several transports, and an option may be for one of them; a client has one.
 * @throws UserError if one is asked for that the transport refuses
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
