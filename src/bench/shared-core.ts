/**
 * Whether server and generator must share one core: then each takes processor time from the other.
 * Linux tells which process listens, if the user may see it.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { cpus } from 'node:os'
import { isPublic, type Address } from '../vocabulary/address.ts'
import { transports } from '../vocabulary/transport.ts'
import { isUnconnected, listedSockets } from '../engines/os/proc-net.ts'

/** The number of that core; undefined if there is none, or if that is not known. */
export function sharedCore(address: Address): number | undefined {
  if (process.platform !== 'linux' || isPublic(address)) return undefined
  const own = onlyCore('self')
  // Most processes may use several cores; then no core has to be shared.
  if (own === undefined || cpus().length === 1) return own
  const sockets = socketsAt(address).map(inode => `socket:[${inode}]`)
  const isServer = (pid: string) =>
    onlyCore(pid) === own && orNone(() => linksOf(pid)).some(link => sockets.includes(link))
  return readdirSync('/proc').some(name => /^\d+$/.test(name) && isServer(name)) ? own : undefined
}

/** The result of a look at a process; empty if it is gone, or belongs to another user. */
function orNone<T>(look: () => T[]): T[] {
  try {
    return look()
  } catch {
    return []
  }
}

/** The only core that a process may use. */
function onlyCore(pid: string): number | undefined {
  const [status = ''] = orNone(() => [readFileSync(`/proc/${pid}/status`, 'latin1')])
  const [, core] = /^Cpus_allowed_list:\s*(\d+)$/m.exec(status) ?? []
  return core === undefined ? undefined : Number(core)
}

const linksOf = (pid: string): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap(fd =>
    orNone(() => [readlinkSync(`/proc/${pid}/fd/${fd}`)]),
  )

/** The inodes of the sockets that wait for clients at an address. */
function socketsAt(address: Address): string[] {
  const { socket } = transports[address.transport]
  const end =
    address.transport === 'unix'
      ? address.path
      : `:${address.port.toString(16).toUpperCase().padStart(4, '0')}`
  const isThere = (local = '') => (socket.domain === 'unix' ? local === end : local.endsWith(end))
  return listedSockets(socket)
    .filter(({ local, state }) => isThere(local) && isUnconnected(socket, state))
    .map(({ inode }) => inode)
}
