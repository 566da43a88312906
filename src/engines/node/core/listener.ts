/**
 * A listening socket that can stop accepting while new clients queue in the system's backlog.
 *
 * node:net accepts every client. Here a pause closes its handle but keeps a duplicate of the
 * descriptor, which keeps the kernel's socket and its queue alive:
 *
 *   accepting   handle ──► fd 20 ──► socket with its backlog
 *   paused                 fd 23 ──► the same socket          (dup 20 → 23, then close the handle)
 *   accepting   handle ──► fd 23 ──► the same socket          (listen on fd 23)
 */
import {
  createServer,
  type AddressInfo,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net'
import { once } from 'node:events'
import { streamAt, type Address } from '../../../vocabulary/address.ts'
import { UserError } from '../../../vocabulary/errors.ts'
import { explain } from '../../failures.ts'
import { loadLibc, type Libc } from '../../os/libc.ts'
import type { ServeTask } from '../../../task.ts'
import { claimPath, provisional, releasePath } from '../../os/unix.ts'

/** The kernel cuts it to net.core.somaxconn (listen(2)). */
const backlog = 65_535
/** An idle peer gets a probe after this time, so that one that died silently is found. */
const keepAliveInitialDelay = 60_000

/** The descriptor of a Node handle, which has no public name; -1 if there is none. */
export const handleDescriptor = (owner: Server | Socket): number =>
  (owner as unknown as { _handle: { fd?: number } | null })._handle?.fd ?? -1

export interface AcceptHandler {
  /** Called with each client; may pause the listener, then no further client is accepted. */
  onClient(socket: Socket): void
  /** A client was closed because of turnAwayBeyond(). */
  onDropped(): void
}

/** The functions of the listener that a session uses. */
export type ClientListener = Pick<Listener, keyof Listener>
/** @throws UserError if it cannot listen at the address */
export type Listen = (task: ServeTask, handler: AcceptHandler) => Promise<ClientListener>

/** The listener of transports whose sockets node:net opens. */
export class Listener {
  address: Address
  readonly #handler: AcceptHandler
  #server: Server | undefined
  /** While paused: the descriptor that keeps the socket alive. */
  #kept = -1
  #inode = -1

  private constructor(address: Address, handler: AcceptHandler) {
    this.address = address
    this.#handler = handler
  }

  /**
   * Binds and listens; or listens on the socket that was inherited, whose name then counts.
   * @throws UserError if it cannot listen at the address
   */
  static async open(task: ServeTask, handler: AcceptHandler): Promise<ClientListener> {
    const { address, sharePort, inheritedFd } = task
    const listener = new Listener(address, handler)
    try {
      if (inheritedFd !== undefined) {
        await listener.#listen({ fd: inheritedFd })
        listener.#takeName()
        return listener
      }
      if (address.transport === 'unix') await listener.#listen({ path: provisional(address) })
      else await listener.#listen({ ...streamAt(address), ...(sharePort && { reusePort: true }) })
      await listener.#settle()
    } catch (error) {
      listener.close()
      throw error instanceof UserError ? error : explain('listen on', address, error)
    }
    return listener
  }

  async #settle() {
    if (this.address.transport === 'unix') this.#inode = await claimPath(this.address)
    else this.address = { ...this.address, port: (this.#server!.address() as AddressInfo).port }
  }

  /** Gives a unix socket its path. An inherited path is left alone: the parent process owns it. */
  #takeName() {
    const name = this.#server!.address()
    if (typeof name === 'string') this.address = { transport: 'unix', path: name }
    else if (this.address.transport !== 'unix' && name)
      this.address = { ...this.address, host: name.address, port: name.port }
  }

  async #listen(where: ListenOptions | { fd: number }) {
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay }
    const server = createServer(options, socket => this.#handler.onClient(socket))
    server.on('drop', () => this.#handler.onDropped())
    this.#server = server
    server.listen({ ...where, backlog, exclusive: true })
    await once(server, 'listening')
  }

  get paused(): boolean {
    return this.#kept !== -1
  }

  /**
   * Stops accepting at once. Returns false if this system cannot do that; then accepting goes on.
   */
  pause(): boolean {
    const libc = loadLibc()
    if (typeof libc === 'string' || !this.#server) return false
    const kept = libc.dup(handleDescriptor(this.#server))
    if (kept === -1) return false
    this.#kept = kept
    this.#server.close()
    this.#server = undefined
    return true
  }

  /** The number that the next client's descriptor would have; -1 if it is not known. */
  nextDescriptor(): number {
    const libc = loadLibc()
    if (typeof libc === 'string' || (!this.paused && !this.#server)) return -1
    const next = libc.dup(this.paused ? this.#kept : handleDescriptor(this.#server!))
    if (next === -1) return Infinity
    libc.close(next)
    return next
  }

  /** Accepts again, in the order of the queue. */
  resume(): void {
    const fd = this.#kept
    this.#kept = -1
    // This socket has listened before, so a failure is a defect: let it be thrown.
    void this.#listen({ fd })
  }

  /** If pausing is impossible: closes every further client, and reports each. */
  turnAwayBeyond(clients: number): void {
    if (this.#server) this.#server.maxConnections = clients
  }

  /** Closes the listener. The system resets the clients that still wait in the backlog. */
  close(): void {
    if (this.#kept !== -1) (loadLibc() as Libc).close(this.#kept)
    this.#kept = -1
    this.#server?.close()
    this.#server = undefined
    if (this.address.transport === 'unix' && this.#inode !== -1)
      releasePath(this.address.path, this.#inode)
  }
}
