/**
 * Closes connections whose other side is gone, where Node does not say so.
 *
 * Two ways lead there. An error of the system is told once. Where TLS writes on its own behalf
 * (session tickets at the end of the handshake, alerts), Node has no listener for it: it is lost,
 * every later write waits for that one, and what is read looks like an end. And of a connection
 * that is not read from, because a fault hangs or holds back, Node hears nothing at all.
 * The system knows: a connection that was reset has no other side any more (getpeername(2)), and
 * one over a unix socket whose other side was closed, and not only its half, is hung up (poll(2)).
 */
import type { Socket } from 'node:net'
import { loadLibc } from '../../os/libc.ts'
import { descriptorOf } from './listener.ts'

/** Between two looks. */
const lookMs = 250
/** So many are asked about in one look (a microsecond each), so that no client waits for it. */
const perLook = 500

/**
 * A connection that was gone at the look before, too, is closed: Node had time to notice by itself.
 */
export function closeGone(
  clients: ReadonlySet<Socket>,
  onGone: (socket: Socket) => void,
): () => void {
  let suspects: Socket[] = []
  let round = clients.values()
  const look = () => {
    for (const socket of suspects) if (clients.has(socket) && isGone(socket)) onGone(socket)
    suspects = []
    for (let n = 0; n < perLook; n++) {
      const { value, done } = round.next()
      if (done) {
        round = clients.values()
        return
      }
      if (isGone(value)) suspects.push(value)
    }
  }
  const timer = setInterval(look, lookMs).unref()
  return () => clearInterval(timer)
}

/** A handle of TCP, which has no public name. `socket.remoteAddress` is what was true at first. */
interface Handle {
  getpeername?: (into: object) => number
}

function isGone(socket: Socket): boolean {
  const handle = (socket as unknown as { _handle: Handle | null })._handle
  if (!handle) return false
  if (handle.getpeername) return handle.getpeername({}) !== 0
  return isHungUp(descriptorOf(socket))
}

const pollHangUp = 0x10

/** False where that cannot be known. */
function isHungUp(fd: number): boolean {
  const libc = loadLibc()
  if (typeof libc === 'string' || fd === -1) return false
  const wanted = Buffer.alloc(8)
  wanted.writeInt32LE(fd)
  return libc.poll(wanted, 1, 0) === 1 && (wanted.readInt16LE(6) & pollHangUp) !== 0
}
