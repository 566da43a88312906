/**
 * Finds out when the kernel received the replies of a load (SO_TIMESTAMPNS). Node would read
 * without these stamps. So Node is given no memory to read into, and only reports that bytes have
 * come; this code reads them, and pushes them into the stream. Below TLS Node's reader cannot be
 * replaced: there Node stops reading, a second descriptor of the socket reports that bytes have
 * come, and Node is given them to decrypt.
 */
import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { LoadTask } from '../../../task.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { descriptorLimit } from '../../os/descriptors.ts'
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
  readStart(): number
  readStop(): number
  /** Only with TLS: decrypts bytes that have come, and pushes them into the stream. */
  receive?: (encrypted: Uint8Array) => void
}

const noRoom = Buffer.alloc(0)
/** The most second descriptors in a thread. */
const secondMax = 64
/** The most second descriptors in all threads, as a share of the limit of descriptors. */
const secondShare = 0.25

export class Stamps {
  /**
   * When the kernel received the chunk that is being pushed now; undefined if that is not known.
   */
  cameNs: number | undefined
  /** Whether every socket so far is stamped. */
  complete = true
  readonly #libc: Libc
  readonly #reader: StampedReader

  /**
   * Undefined for a load without stamps: with HTTP/2 Node has to read by itself. Stamps need Linux
   * and FFI, and below TLS a second descriptor for each connection.
   */
  static of(task: LoadTask): Stamps | undefined {
    const { secure } = transports[task.address.transport]
    const { alpn = [] } = task.calling.tls ?? {}
    const isOver = secure ? alpn.includes('h2') || !hasRoom(task) : alpn[0] === 'h2'
    const libc = isStamped(task, true) && !isOver ? libcOf64Bits() : undefined
    return libc && new Stamps(libc)
  }

  constructor(libc: Libc) {
    this.#libc = libc
    this.#reader = new StampedReader(libc)
  }

  /** Makes a dial that turns stamps on for each socket. */
  over(dial: Dial): Dial {
    const onSocket = (socket: Socket, secured?: TLSSocket) =>
      secured ? this.watchBelow(secured, socket) : this.watch(socket)
    return (target, timeoutMs, signal) => dial({ ...target, onSocket }, timeoutMs, signal)
  }

  /** From now on this object reads from the socket, and not Node. */
  watch(socket: Socket): void {
    const handle = handleOf(socket)
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

  /** From now on this object reads what TLS decrypts. */
  watchBelow(secured: TLSSocket, socket: Socket): void {
    const [above, below] = [handleOf(secured), handleOf(socket)]
    if (!above || !below) return
    const fd = above.receive && this.#reader.stamp(below.fd) ? this.#libc.dup(below.fd) : -1
    if (fd < 0) {
      this.complete = false
      return
    }
    const second = new Socket({ fd, readable: false, writable: false })
    secured.once('close', () => second.destroy())
    const handle = handleOf(second)!
    handle.useUserBuffer!(noRoom)
    handle.onread = () => this.#readBelow(secured, above, fd)
    above.readStop()
    // From now on Node starts and stops this reader.
    above.readStart = () => handle.readStart()
    above.readStop = () => handle.readStop()
    if (above.reading) above.readStart()
  }

  #readBelow(secured: TLSSocket, above: Handle, fd: number) {
    const reader = this.#reader
    if (secured.destroyed) {
      above.readStop()
      return
    }
    const length = reader.read(fd)
    if (typeof length === 'string') fail(secured, length)
    else if (length === 0) end(secured, above)
    else {
      this.cameNs = reader.cameNs(nowNs())
      above.receive!(reader.bytes.subarray(0, length))
      this.cameNs = undefined
    }
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

/** Whether there are enough descriptors for a second one of each connection. */
function hasRoom({ connections, idle, connectionStep }: LoadTask): boolean {
  const wanted = connections + idle
  return wanted <= secondMax && wanted * connectionStep <= secondShare * descriptorLimit()
}

/** Null if the socket is closed already. */
const handleOf = (socket: Socket): Handle | null =>
  (socket as unknown as { _handle: Handle | null })._handle

function fail(socket: Socket, code: string) {
  if (code !== 'EAGAIN' && code !== 'EINTR') socket.destroy(systemError(code))
}

function end(socket: Socket, handle: Handle) {
  handle.readStop()
  socket.push(null)
  socket.read(0)
}
