/**
 * Finds out when the kernel received the replies of a load (SO_TIMESTAMPNS). Node would read
 * without these stamps. So Node is given no memory to read into, and only reports that bytes have
 * come; this code reads them, and pushes them into the stream.
 */
import type { Socket } from 'node:net'
import type { LoadTask } from '../../../task.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { libcOf64Bits, systemError, type Libc } from '../../os/libc.ts'
import { StampedReader } from '../../os/stamped-reader.ts'
import { isStamped } from '../../stamped.ts'
import type { Dial } from '../core/link.ts'

/** The private parts of a Node socket that are used here. */
interface Handle {
  readonly fd: number
  /** Whether Node believes that it watches the socket. */
  reading: boolean
  /** Called when something can be read. */
  onread: () => void
  /** Without room libuv reads nothing (its error UV_ENOBUFS), and goes on watching. */
  useUserBuffer?: (buffer: Uint8Array) => void
  readStop(): number
}

const noRoom = Buffer.alloc(0)

export class Stamps {
  /**
   * When the kernel received the chunk that is being pushed now; undefined if that is not known.
   */
  cameNs: number | undefined
  /** Whether every socket so far is stamped. */
  complete = true
  readonly #reader: StampedReader

  /**
   * Undefined for a load without stamps: with TLS and HTTP/2 Node has to read by itself. Stamps
   * need Linux and FFI.
   */
  static of(task: LoadTask): Stamps | undefined {
    const { address, calling } = task
    const isOver = transports[address.transport].secure || calling.tls?.alpn?.[0] === 'h2'
    const libc = isStamped(task) && !isOver ? libcOf64Bits() : undefined
    return libc && new Stamps(libc)
  }

  constructor(libc: Libc) {
    this.#reader = new StampedReader(libc)
  }

  /** Makes a dial that turns stamps on for each socket. */
  over(dial: Dial): Dial {
    return (target, timeoutMs, signal) =>
      dial({ ...target, onSocket: socket => this.watch(socket) }, timeoutMs, signal)
  }

  /** From now on this object reads from the socket, and not Node. */
  watch(socket: Socket): void {
    const handle = (socket as unknown as { _handle: Handle | null })._handle
    // A socket that is closed already has no handle.
    if (!handle) return
    const { fd } = handle
    if (!handle.useUserBuffer || !this.#reader.stamp(fd)) {
      this.complete = false
      return
    }
    handle.useUserBuffer(noRoom)
    handle.onread = () => this.#read(socket, handle, fd)
  }

  /** Reads once. If more is left, the event loop calls this again in its next turn. */
  #read(socket: Socket, handle: Handle, fd: number) {
    const reader = this.#reader
    const length = reader.read(fd)
    if (typeof length === 'string') fail(socket, length)
    else if (length === 0) end(socket, handle)
    else {
      const chunk = Buffer.allocUnsafe(length)
      reader.bytes.copy(chunk, 0, 0, length)
      this.cameNs = reader.cameNs(nowNs())
      const wantsMore = socket.push(chunk)
      this.cameNs = undefined
      if (wantsMore || socket.destroyed) return
      // Node starts reading again when the stream wants more.
      handle.reading = false
      handle.readStop()
    }
  }
}

function fail(socket: Socket, code: string) {
  if (code !== 'EAGAIN' && code !== 'EINTR') socket.destroy(systemError(code))
}

function end(socket: Socket, handle: Handle) {
  handle.readStop()
  socket.push(null)
  socket.read(0)
}
