/** The lists of sockets that Linux keeps in /proc/net: proc_pid_net(5). */
import { readFileSync } from 'node:fs'
import type { SystemSocket } from '../../vocabulary/transport.ts'

export interface ListedSocket {
  /** `0100007F:1B5F`, or the path; undefined if a unix socket has none. */
  local: string | undefined
  state: string
  inode: string
}

/** The columns of these in a row. */
const columns = {
  inet: { local: 1, state: 3, inode: 9 },
  unix: { local: 7, state: 5, inode: 6 },
} as const

/** All sockets of a kind; none if the system does not list them. */
export const listedSockets = ({ listedIn, domain }: SystemSocket): ListedSocket[] =>
  listedIn.flatMap(file =>
    rowsOf(file).map(row => {
      const cells = row.trim().split(/\s+/)
      const { local, state, inode } = columns[domain]
      return { local: cells[local], state: cells[state] ?? '', inode: cells[inode] ?? '' }
    }),
  )

/** Whether a socket is not a connection: it listens, or is only bound. */
export const isUnconnected = ({ unconnected }: SystemSocket, state: string): boolean =>
  unconnected.includes(state)

/** The lines of a file, without its heading. (A system without IPv6 has no such file for it.) */
function rowsOf(file: string): string[] {
  try {
    return readFileSync(`/proc/self/net/${file}`, 'latin1').trimEnd().split('\n').slice(1)
  } catch {
    return []
  }
}
