/** Explains error names of the operating system, for users. */
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import {
  ClosedError,
  AnswerTimeoutError,
  ProtocolError,
  StatusError,
} from '../vocabulary/peer-errors.ts'
import type { FailureName } from '../metrics/meter.ts'
import { tellingCode } from './os/resolver.ts'
import { tlsMeaning } from '../wire/tls/failures.ts'

/** The command that shows the addresses of the machine, by system. */
const addressCommand: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'ip address',
  win32: 'ipconfig',
}
const showAddresses = addressCommand[process.platform] ?? 'ifconfig'

/** What to try if descriptors run out. (Windows has no such limit.) */
const moreDescriptors =
  process.platform === 'win32' ? 'Use fewer connections.' : 'Raise `ulimit -n`.'

/** errno name (errno(3)), or getaddrinfo's → the cause, and what to try. */
const meanings: Record<string, [cause: string, hint: string]> = {
  EACCES: ['permission denied', 'Ports below 1024 and folders of other users need privileges.'],
  EPERM: ['not permitted', 'A firewall or a sandbox forbids it.'],
  EADDRINUSE: [
    'the address is already in use',
    'Stop that program or choose another; port 0 lets the system choose.',
  ],
  EADDRNOTAVAIL: [
    'this machine has no such address',
    `See \`${showAddresses}\` for those that it has.`,
  ],
  EAFNOSUPPORT: ['this machine has no such kind of address', 'Try IPv4, or enable IPv6.'],
  ECONNREFUSED: [
    'no server listens there',
    'Start a server with `yodel serve`, or check the port.',
  ],
  ECONNRESET: ['the other side reset the connection', 'See its log.'],
  EPIPE: ['the other side is gone', 'See its log.'],
  ETIMEDOUT: ['no answer', 'Check the address, and firewalls on the way.'],
  EHOSTUNREACH: ['no route to that host', 'Check the address and the network.'],
  ENETUNREACH: ['no route to that network', 'Check the address and the network.'],
  ENOTFOUND: ['no such host', 'Check the name.'],
  EAI_AGAIN: ['the name service does not answer', 'Check the name, or use a numeric address.'],
  ENOENT: [
    'no such file or folder',
    'Check the path; a socket is made by its server, in a folder that exists.',
  ],
  ENOTDIR: ['a part of the path is not a folder', 'Check the path.'],
  ENOTSOCK: ['that is a file, not a socket', 'Choose a path that does not exist yet.'],
  EMFILE: ['this process has no descriptors left', moreDescriptors],
  ENFILE: ['this machine has no descriptors left', 'Close other programs.'],
  ENAMETOOLONG: ['the path is too long for a socket', 'Choose a shorter one.'],
}

/** Hints for addresses that have no port. */
const unixHints: Record<string, string> = {
  EADDRINUSE: 'Stop that program or choose another path.',
  ECONNREFUSED: 'Start a server with `yodel serve`; the path may be that of a dead one, or a file.',
}

export const errnoOf = (error: unknown): string => {
  // All addresses of a name failed. node:net gives the code of the first; this takes the code that
  // says most.
  if (error instanceof AggregateError) return tellingCode(error.errors.map(errnoOf))
  return (error as NodeJS.ErrnoException | undefined)?.code ?? ''
}

/**
 * `Cannot listen on tcp://...: the address is already in use (EADDRINUSE).`
 * @param flag the option that gave the address, if it is not the argument
 */
export function explain(
  verb: 'listen on' | 'connect to',
  address: Address,
  error: unknown,
  flag?: string,
) {
  const code = errnoOf(error)
  if (error instanceof UserError) return error
  const [cause, hint] = meanings[code] ??
    tlsMeaning(error as Error) ?? [(error as Error).message, '']
  const name = code === '' ? '' : ` (${code})`
  const purpose = flag === undefined ? '' : ` for ${flag}`
  const message = `Cannot ${verb} ${formatAddress(address)}${purpose}: ${cause}${name}.`
  const unixHint = address.transport === 'unix' ? unixHints[code] : undefined
  return new UserError('network', message, unixHint ?? hint)
}

/** `the connection broke (ECONNRESET)`, with TLS also the cause; and what to try. */
export function explainBreak(error: Error): { broke: string; hint: string } {
  if (error instanceof AnswerTimeoutError) return { broke: error.message, hint: error.hint }
  const [cause, hint = ''] = tlsMeaning(error) ?? []
  const why = cause === undefined ? '' : `, ${cause}`
  return { broke: `the connection broke (${errnoOf(error) || error.message})${why}`, hint }
}

/**
 * Why a connection broke, for a report; undefined if the class says all that is known, as with a
 * reset. Text from the other side is untrusted: show it through vocabulary/text.
 */
export function reasonOf(error: Error): string | undefined {
  const isOurs = error instanceof ProtocolError || error instanceof StatusError
  if (isOurs || error instanceof ClosedError || error instanceof AnswerTimeoutError)
    return error.message
  const [cause] = tlsMeaning(error) ?? []
  if (cause !== undefined) return cause
  const code = errnoOf(error)
  if (code.startsWith('ERR_HTTP2_')) return `HTTP/2 failed (${error.message})`
  return code === '' || code.startsWith('ERR_') ? error.message : undefined
}

/** Like reasonOf(), but for an error of the class `other` at least its name. */
export function reasonWhy(error: unknown): string | undefined {
  // The message is a sentence; here it becomes a part of another one.
  if (error instanceof UserError) return error.message.replace(/\.$/, '')
  const reason = error instanceof Error ? reasonOf(error) : undefined
  if (reason !== undefined || failureName(error) !== 'other') return reason
  return errnoOf(error) || undefined
}

/** The class under which a failed connection is counted. */
export function failureName(error: unknown): FailureName {
  if (error instanceof ProtocolError) return 'protocol'
  if (error instanceof ClosedError) return 'closedEarly'
  if (error instanceof StatusError) return 'status'
  const code = errnoOf(error)
  if (code.startsWith('ERR_HTTP2_')) return 'protocol'
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused'
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
      return 'reset'
    case 'ETIMEDOUT':
    case 'HANDSHAKE_TIMEOUT':
      return 'timedOut'
    case 'HANDSHAKE_CUT':
      return 'closedEarly'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'nameNotFound'
    case 'EMFILE':
    case 'ENFILE':
      return 'noDescriptors'
    default:
      // Anything at all can be thrown, null too.
      return error instanceof Error && tlsMeaning(error) ? 'protocol' : 'other'
  }
}
