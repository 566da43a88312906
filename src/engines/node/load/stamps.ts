/**
 * When the kernel had what comes back to a load. Node reads without the stamps of the kernel, so it
 * is given no memory to read into: then it only says that something has come. This reads it, and
 * hands it to the stream as Node does.
 */
import type { Socket } from 'node:net'
import type { LoadTask } from '../../../task.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { libcOf64Bits, systemError, type Libc } from '../../os/libc.ts'
import { StampedReader } from '../../os/stamped-reader.ts'
import { isStamped } from '../../stamped.ts'
import type { Dial } from '../core/link.ts'

/** What a socket of Node has below it, as far as this needs it. */
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
  /** When the kernel had what is handed on at this moment; undefined if it is not known. */
  cameNs: number | undefined
  /** Whether every socket so far is stamped. */
  complete = true
  readonly #reader: StampedReader

  /**
   * Undefined for a load without stamps: below TLS and HTTP/2 Node reads for itself. Stamps need
   * Linux and FFI.
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

  /** Dials so that each socket below is stamped. */
  over(dial: Dial): Dial {
    return (target, timeoutMs, signal) =>
      dial({ ...target, onSocket: socket => this.watch(socket) }, timeoutMs, signal)
  }

  /** From now on this reads what comes. */
  watch(socket: Socket): void {
    const handle = (socket as unknown as { _handle: Handle | null })._handle
    // One that is closed already has none.
    if (!handle) return
    const { fd } = handle
    if (!handle.useUserBuffer || !this.#reader.stamp(fd)) {
      this.complete = false
      return
    }
    handle.useUserBuffer(noRoom)
    handle.onread = () => this.#read(socket, handle, fd)
  }

  /** What is left after it is read in the next turn of the loop. */
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
      // Node goes on when the stream wants more.
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
