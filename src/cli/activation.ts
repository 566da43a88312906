/** Sockets that the parent process opened (sd_listen_fds(3)), or that --fd names. */
import { readFileSync, readlinkSync } from 'node:fs'
import type { Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { transportNames, transports, type TransportName } from '../vocabulary/transport.ts'

type Socket = (typeof transports)[TransportName]['socket']

export interface Inherited {
  fd: number
  /** A placeholder, until the engine has asked the system for the address. */
  address: Address
}

/** The first one that systemd passes on. */
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
function canCarry(kind: Socket, wanted: TransportName): boolean {
  const { socket } = transports[wanted]
  return socket === kind || (kind === 'unix' && socket === 'tcp')
}

/** What sort of socket it is, by its inode; nothing where the system does not say. Linux. */
function lookUp(fd: number): { kind?: Socket; path?: string } {
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
  for (const { table, kind, column, state, free } of tables) {
    for (const row of readFileSync(`/proc/self/net/${table}`, 'latin1').split('\n')) {
      const columns = row.trim().split(/\s+/)
      if (columns[column] !== inode) continue
      if (free !== undefined && !free.includes(columns[state]!))
        throw usageError(
          `Descriptor ${fd} is a connection, not a socket that listens.`,
          'In a .socket unit of systemd, write Accept=no.',
        )
      const path = kind === 'unix' ? columns[column + 1] : undefined
      return path === undefined ? { kind } : { kind, path }
    }
  }
  return {}
}

/**
 * Where proc(5) lists sockets, the columns of their inodes and states, and the states of a listener
 * and of a socket without a connection.
 */
const tables: readonly {
  table: string
  kind: Socket
  column: number
  state: number
  free: readonly string[] | undefined
}[] = [
  { table: 'tcp', kind: 'tcp', column: 9, state: 3, free: ['07', '0A'] },
  { table: 'tcp6', kind: 'tcp', column: 9, state: 3, free: ['07', '0A'] },
  { table: 'udp', kind: 'udp', column: 9, state: 3, free: undefined },
  { table: 'udp6', kind: 'udp', column: 9, state: 3, free: undefined },
  { table: 'unix', kind: 'unix', column: 6, state: 5, free: ['01'] },
]
