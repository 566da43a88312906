/** Opens the sockets of a load, each connected to the first address that may be reached. */
import { numberOf } from '../../../load/part.ts'
import { reachableFrom, sourceOf } from '../../../options/route.ts'
import type { LoadTask } from '../../../task.ts'
import type { HostAddress } from '../../../vocabulary/address.ts'
import { connectDatagrams } from '../../os/datagram-sockets.ts'
import { KernelClock } from '../../os/kernel-clock.ts'
import { SOL_SOCKET, SOL_UDP, SO_TIMESTAMPNS, UDP_GRO } from '../../os/kernel-numbers.ts'
import type { Libc } from '../../os/libc.ts'
import { addressesOf } from '../../os/resolver.ts'
import { setOption } from '../../os/socket-options.ts'
import { isStamped } from '../../stamped.ts'
import type { Ring } from '../ring.ts'
import { putFile } from './file.ts'

export class Ways {
  readonly hosts: readonly string[]
  /** Set if the kernel stamps what arrives. */
  readonly clock: KernelClock | undefined
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #task: LoadTask
  /** For each slot: the next address to try. */
  readonly #next: Uint16Array

  /** @throws the resolver's error */
  static async of(libc: Libc, ring: Ring, task: LoadTask): Promise<Ways> {
    const { host } = task.address as HostAddress
    return new Ways(libc, ring, task, reachableFrom(task.calling, await addressesOf(host)))
  }

  private constructor(libc: Libc, ring: Ring, task: LoadTask, hosts: readonly string[]) {
    this.#libc = libc
    this.#ring = ring
    this.hosts = hosts
    this.#task = task
    this.clock = isStamped(task) ? new KernelClock(libc) : undefined
    this.#next = new Uint16Array(task.connections)
  }

  /** Whether an address is left that was not tried for this slot. */
  hasNext(slot: number): boolean {
    return this.#next[slot]! < this.hosts.length
  }

  /**
   * The next address to which the system has a route. @throws the system's error, if there is none
   */
  open(slot: number): void {
    const { port } = this.#task.address as HostAddress
    const { calling } = this.#task
    const from = sourceOf(calling, numberOf(this.#task, slot))
    for (;;) {
      const host = this.hosts[this.#next[slot]!++]!
      try {
        const at = { transport: 'udp', host, port } as const
        const fd = connectDatagrams(this.#libc, at, calling, from)
        // Lets the system deliver datagrams that come together as one piece.
        setOption(this.#libc, fd, SOL_UDP, UDP_GRO, 1)
        if (this.clock) setOption(this.#libc, fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)
        putFile(this.#libc, this.#ring, slot, fd)
        this.#libc.close(fd)
        return
      } catch (error) {
        if (!this.hasNext(slot)) throw error
      }
    }
  }
}
