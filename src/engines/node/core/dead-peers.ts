/**
 * Finds connections whose peer is dead, and closes them where Node does not notice.
 *
 * Node misses it in two cases. First, the system reports an error only once. If this happens to a
 * write of TLS itself (a session ticket at the end of the handshake, or an alert), Node has no
 * listener for it: the error is lost, every later write waits for that one, and a read looks like
 * an end. Second, Node learns nothing of a connection that it does not read from, because a fault
 * hangs or delays it.
 *
 * The system knows. A connection that was reset has no peer any more (getpeername(2)). A unix
 * socket whose peer closed both directions reports POLLHUP (poll(2)).
 */
import type { Socket } from 'node:net'
import { loadLibc } from '../../os/libc.ts'
import { handleDescriptor } from './listener.ts'

/** The time between two rounds. */
const roundMs = 250
/**
 * How many connections are checked in a round. A check takes a microsecond, so no client has to
 * wait.
 */
const perRound = 500

/** Closes a peer that is dead in two rounds: between them Node had time to notice by itself. */
export function closeDeadPeers(
  clients: ReadonlySet<Socket>,
  onDead: (socket: Socket) => void,
): () => void {
  let suspects: Socket[] = []
  let round = clients.values()
  const look = () => {
    for (const socket of suspects) if (clients.has(socket) && isDead(socket)) onDead(socket)
    suspects = []
    for (let n = 0; n < perRound; n++) {
      const { value, done } = round.next()
      if (done) {
        round = clients.values()
        return
      }
      if (isDead(value)) suspects.push(value)
    }
  }
  const timer = setInterval(look, roundMs).unref()
  return () => clearInterval(timer)
}

/**
 * The TCP handle of Node, which is not public. `socket.remoteAddress` is cached, so it does not
 * help.
 */
interface Handle {
  getpeername?: (into: object) => number
}

function isDead(socket: Socket): boolean {
  const handle = (socket as unknown as { _handle: Handle | null })._handle
  if (!handle) return false
  if (handle.getpeername) return handle.getpeername({}) !== 0
  return isHungUp(handleDescriptor(socket))
}

const pollHangUp = 0x10

/** Whether the system reports that the peer has gone; false if that is not known. */
function isHungUp(fd: number): boolean {
  const libc = loadLibc()
  if (typeof libc === 'string' || fd === -1) return false
  const wanted = Buffer.alloc(8)
  wanted.writeInt32LE(fd)
  return libc.poll(wanted, 1, 0) === 1 && (wanted.readInt16LE(6) & pollHangUp) !== 0
}
