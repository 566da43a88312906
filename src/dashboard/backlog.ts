/**
 * Finds clients in the system's backlog, from /proc/net/tcp, tcp6 and unix (proc_pid_net(5),
 * Linux): a connection that no process has accepted has our port or path, and no inode. For a port,
 * the row of the listening socket has the length of the queue, too.
 */
import { isIP } from 'node:net'
import { open } from 'node:fs/promises'
import { withoutZone, type Address } from '../vocabulary/address.ts'
import { ipBytes, ipText } from '../vocabulary/ip-bytes.ts'
import { transports } from '../vocabulary/transport.ts'
import { boundPath } from '../engines/os/unix.ts'
import { peerText } from '../vocabulary/text.ts'

export interface Waiting {
  /** How many clients wait, by the kernel; null where that is not known. */
  count: number | null
  /**
   * `host:port` of the clients that were found, a few hundred at most; a client of a unix socket
   * has none.
   */
  peers: string[]
  /** The addresses were not read this time, because reading them takes long. */
  withoutPeers?: true
}

/** Bounds the work of one reading: a line has 150 bytes. */
const linesMax = 100_000
const peersMax = 500
/** The addresses are read again only after a multiple of the time that the last reading took. */
const restFactor = 50
const unknown: Waiting = { count: null, peers: [] }

const ESTABLISHED = '01'
/** The client has sent FIN while it waited. */
const CLOSE_WAIT = '08'
const LISTEN = '0A'

/** The state in the file of unix sockets: SS_CONNECTING; the connection is not accepted yet. */
const connecting = ['02', '0']

/** The backlog of a listening address. */
export class Backlog {
  /** The path that a unix socket was bound to. */
  readonly #paths: readonly string[]
  readonly #port: number
  /** The listening address as the kernel writes it; undefined if any address matches. */
  readonly #local: string | undefined
  readonly #files: string[]
  #nextPeersAt = 0

  constructor(address: Address) {
    const isUnix = address.transport === 'unix'
    const path = isUnix ? Buffer.from(address.path).toString('latin1') : ''
    this.#paths = path === '' ? [] : [path, boundPath(path)]
    this.#port = isUnix ? 0 : address.port
    const local = isUnix ? undefined : localOf(withoutZone(address.host))
    this.#local = local
    const { listedIn, type } = transports[address.transport].socket
    // The file of IPv6 has a 6 at its end.
    const isOf = (file: string) => local === undefined || file.endsWith('6') === local.length > 8
    const hasBacklog = type === 'stream' && process.platform === 'linux'
    this.#files = hasBacklog ? listedIn.filter(isOf) : []
  }

  /** Never throws. */
  async read(): Promise<Waiting> {
    if (this.#files.length === 0) return unknown
    const startedAt = performance.now()
    const wantsPeers = startedAt >= this.#nextPeersAt
    const found: Waiting = { count: 0, peers: [] }
    try {
      for (const file of this.#files) {
        const path = `/proc/self/net/${file}`
        if (file === 'unix') await this.#countUnix(path, found)
        else await this.#scan(path, found, wantsPeers)
      }
    } catch {
      return unknown
    }
    if (found.count !== 0 && !wantsPeers) return { ...found, withoutPeers: true }
    if (found.count !== 0) {
      const now = performance.now()
      this.#nextPeersAt = now + (now - startedAt) * restFactor
    }
    return found
  }

  async #countUnix(path: string, found: Waiting) {
    for await (const rows of blocksOf(path))
      for (const row of rows) {
        if (!this.#paths.some(own => row.endsWith(` ${own}`))) continue
        const [, , , , , ...state] = row.trim().split(/\s+/, 7)
        if (state.join() === connecting.join()) found.count!++
      }
  }

  async #scan(path: string, found: Waiting, wantsPeers: boolean) {
    const portText = `:${this.#port.toString(16).toUpperCase().padStart(4, '0')}`
    const needle = `${portText} `
    let lines = 0
    let expected = 0
    let seen = 0
    for await (const rows of blocksOf(path)) {
      lines += rows.length
      for (const row of rows) {
        if (!row.includes(needle)) continue
        const [, at, peer, state, queues, , , , , inode] = row.trim().split(/\s+/, 10)
        if (!at?.endsWith(portText)) continue
        if (this.#local !== undefined && !at.startsWith(this.#local)) continue
        if (state === LISTEN) {
          const waiting = Number.parseInt(queues!.slice(9), 16)
          expected += waiting
          found.count! += waiting
        } else if (inode === '0' && (state === ESTABLISHED || state === CLOSE_WAIT)) {
          seen++
          if (found.peers.length < peersMax) found.peers.push(peerFrom(peer!))
        }
      }
      // The listening sockets come first in the file; they say how many waiting clients will
      // follow.
      const isBehind = !rows.at(-1)?.includes(` ${LISTEN} `)
      if (isBehind && (!wantsPeers || seen >= expected || lines > linesMax)) return
    }
  }
}

/** The lines of a file of /proc, some hundred at a time. */
async function* blocksOf(path: string): AsyncGenerator<string[]> {
  await using file = await open(path)
  const buffer = Buffer.allocUnsafe(65_536)
  let rest = ''
  for (;;) {
    const { bytesRead } = await file.read(buffer)
    if (bytesRead === 0) return
    const rows = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n')
    rest = rows.pop()!
    yield rows
  }
}

/** The host as the file writes it; undefined if any address matches, or if the host is a name. */
function localOf(host: string): string | undefined {
  if (host === '0.0.0.0' || host === '::') return undefined
  return isIP(host) === 0 ? undefined : hex(Buffer.from(ipBytes(host)))
}

/** Words of four bytes, each in the order of the machine. */
const hex = (bytes: Buffer) => Buffer.from(bytes).swap32().toString('hex').toUpperCase()

/** `0100007F:1B5F` → `127.0.0.1:7007`. */
function peerFrom(text: string): string {
  const [host, port] = text.split(':') as [string, string]
  const bytes = Buffer.from(host, 'hex').swap32()
  return peerText(ipText(bytes), Number.parseInt(port, 16))
}
