/**
 * Answers the datagrams of one client over a socket of its own, which reads their marks and marks
 * the answers. It exists only for some seconds, while a check asks for it.
 */
import type { Socket } from 'node:dgram'
import { descriptorOf } from '../../os/datagram-descriptor.ts'
import { MarkedSocket, noMarks } from '../../os/marked-datagrams.ts'
import type { MarksSeen } from '../../accounts.ts'
import type { Endpoint } from './faulty-peers.ts'

/** The socket is closed after this time, or this many datagrams. */
const lastsMs = 5_000
const countMax = 200
const lookEveryMs = 2

export interface Answering {
  socket: Socket
  client: Endpoint
  /** The mark of the answers. */
  mark: number
  sharePort: boolean
  /** Where the marks that came are counted. */
  seen: MarksSeen
  onEcho: (bytes: number) => void
}

/** @returns a function that closes the socket early */
export function answerMarked(answering: Answering): () => void {
  const { socket, client, mark, sharePort, seen, onEcho } = answering
  const fd = descriptorOf(socket)
  const refusal = noMarks() ?? (fd === undefined ? 'Node does not tell the descriptor' : undefined)
  if (refusal !== undefined || fd === undefined) {
    seen.refusedBecause = refusal ?? ''
    return () => {}
  }
  try {
    const { host, peer } = namesOf(socket, client)
    const local = { transport: 'udp', host, port: socket.address().port } as const
    return answer(MarkedSocket.beside(fd, sharePort, local, peer), mark, seen, onEcho)
  } catch (error) {
    seen.refusedBecause = `no second socket could be made: ${(error as Error).message}`
    return () => {}
  }
}

/**
 * The addresses of both ends. For an IPv4 client of an IPv6 socket they are of IPv4, so that the
 * system prefers this socket.
 */
function namesOf(socket: Socket, { address, port }: Endpoint) {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
  const plain = mapped.exec(address)?.[1] ?? address
  const own = socket.address().address
  const bound = mapped.exec(own)?.[1] ?? own
  const host = !plain.includes(':') && bound === '::' ? '0.0.0.0' : bound
  return { host, peer: { transport: 'udp', host: plain, port } as const }
}

function answer(
  marked: MarkedSocket,
  mark: number,
  seen: MarksSeen,
  onEcho: (bytes: number) => void,
): () => void {
  let count = 0
  marked.mark = mark
  const end = () => {
    clearInterval(looking)
    clearTimeout(timer)
    marked.close()
  }
  const look = () => {
    for (let next = marked.receive(); next; next = marked.receive()) {
      const row = seen.came.find(each => each.mark === next.mark)
      if (row) row.datagrams++
      else seen.came.push({ mark: next.mark, datagrams: 1 })
      if (marked.send(next.data)) onEcho(next.data.length)
      if (++count >= countMax) return end()
    }
  }
  const looking = setInterval(look, lookEveryMs)
  const timer = setTimeout(end, lastsMs)
  return end
}
