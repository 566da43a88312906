/** Sockets that the parent process opened (sd_listen_fds(3)), or that --fd names. */
import { readlinkSync } from 'node:fs'
import type { Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import {
  systemSockets,
  transportNames,
  transports,
  type SocketName,
  type TransportName,
} from '../vocabulary/transport.ts'
import { isUnconnected, listedSockets } from '../engines/os/proc-net.ts'

export interface Inherited {
  fd: number
  /**
   * The transport, with a placeholder for the address until the engine has asked the system for it.
   */
  address: Address
}

/** The first descriptor that systemd passes on. */
const firstFd = 3

/**
 * The sockets of LISTEN_FDS, if they are meant for this process. A name (FileDescriptorName=) that
 * is a transport selects it. Clears the variables: child processes must not see them.
 */
export function activatedSockets(env: NodeJS.ProcessEnv): Inherited[] {
  const { LISTEN_FDS: count, LISTEN_PID: pid, LISTEN_FDNAMES: names = '' } = env
  if (count === undefined || pid !== String(process.pid)) return []
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name]
  if (!/^\d{1,4}$/.test(count)) throw usageError(`LISTEN_FDS is '${count}', which is not a number.`)
  const known = names.split(':').map(name => transportNames.find(transport => transport === name))
  return Array.from({ length: Number(count) }, (_, n) => inherit(firstFd + n, known[n]))
}

/** `3` or `3=tls` → the descriptor, and its transport. */
export function parseFd(text: string): Inherited {
  const [, fd, name] = /^(\d{1,7})(?:=(\w+))?$/.exec(text) ?? []
  const transport = transportNames.find(transport => transport === name)
  if (fd === undefined || (name !== undefined && !transport))
    throw usageError(`'${text}' is not a descriptor.`, 'Write for example 3 or 3=tls.')
  return inherit(Number(fd), transport)
}

function inherit(fd: number, wanted: TransportName | undefined): Inherited {
  const { kind, path = `fd ${fd}` } = lookUp(fd)
  if (kind !== undefined && wanted !== undefined && !canCarry(kind, wanted))
    throw usageError(`Descriptor ${fd} is ${kind}, and ${wanted} is not possible there.`)
  const isUnix = kind === 'unix'
  const transport = isUnix && wanted === 'tcp' ? kind : (wanted ?? kind ?? 'tcp')
  if (transport === 'unix') return { fd, address: { transport, path } }
  const resource = transports[transport].hasPath ? { resource: '/' } : {}
  const host = isUnix ? `unix:${path}` : `fd ${fd}`
  return { fd, address: { transport, host, port: 0, ...resource } }
}

/** A unix socket carries the same transports as a tcp stream. */
function canCarry(kind: SocketName, wanted: TransportName): boolean {
  const { name } = transports[wanted].socket
  return name === kind || (kind === 'unix' && name === 'tcp')
}

/** Finds out the kind of a socket by its inode (Linux); nothing if the system does not tell. */
function lookUp(fd: number): { kind?: SocketName; path?: string } {
  let link
  try {
    link = readlinkSync(`/proc/self/fd/${fd}`)
  } catch (error) {
    if (process.platform !== 'linux') return {}
    throw usageError(
      `Descriptor ${fd} is not open (${(error as NodeJS.ErrnoException).code}).`,
      'The process that starts yodel has to open it and let it be inherited.',
    )
  }
  const [, inode] = /^socket:\[(\d+)\]$/.exec(link) ?? []
  if (inode === undefined)
    throw usageError(`Descriptor ${fd} is ${link}, not a socket.`, 'See sd_listen_fds(3).')
  for (const socket of systemSockets) {
    const { local: path, state } = listedSockets(socket).find(row => row.inode === inode) ?? {}
    if (state === undefined) continue
    const kind = socket.name
    if (socket.type === 'stream' && !isUnconnected(socket, state))
      throw usageError(
        `Descriptor ${fd} is a connection, not a socket that listens.`,
        'In a .socket unit of systemd, write Accept=no.',
      )
    return socket.domain === 'unix' && path !== undefined ? { kind, path } : { kind }
  }
  return {}
}
