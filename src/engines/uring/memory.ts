/**
 * Memory for the bytes that pass through. Its size depends on the traffic, not on the number of
 * connections.
 */
import type { Libc, Mapping } from '../os/libc.ts'
import { PBUF_RING_INC } from './kernel.ts'
import type { Ring } from './ring.ts'

const TWO32 = 2 ** 32

/**
 * Buffers that the kernel fills one after another, each message behind the last, whichever
 * connection it comes from; or each with one message. All connections of a ring share them.
 */
export class BufferRing {
  readonly sizeBytes: number
  /** Address of buffer 0 as the kernel knows it; the others follow. */
  readonly address: number
  readonly bytes: Uint8Array
  /** Bytes taken so far from each buffer. */
  readonly used: Uint32Array
  readonly #libc: Libc
  readonly #mappings: [Mapping, Mapping]
  readonly #mask: number
  /** io_uring_buf: address 8, length 4, id 2; and the tail in the last 2 bytes of the first. */
  readonly #words: Uint32Array
  readonly #halves: Uint16Array
  #tail = 0

  /**
   * @param count a power of two
   * @param how flags of the buffer ring, see kernel
   * @param given how many buffers the kernel has from the beginning
   */
  constructor(
    libc: Libc,
    ring: Ring,
    count: number,
    sizeBytes: number,
    how = PBUF_RING_INC,
    given = count,
  ) {
    this.#libc = libc
    this.sizeBytes = sizeBytes
    this.#mask = count - 1
    this.#mappings = [libc.map(count * sizeBytes), libc.map(count * 16)]
    const [buffers, table] = this.#mappings
    this.address = buffers.address
    this.bytes = new Uint8Array(buffers.memory)
    this.used = new Uint32Array(count)
    this.#words = new Uint32Array(table.memory)
    this.#halves = new Uint16Array(table.memory)
    ring.registerBufferRing(table.address, count, how)
    for (let id = 0; id < given; id++) this.give(id)
    this.publish()
  }

  /** Hands a buffer to the kernel, which sees it once it is published. */
  give(id: number): void {
    const at = (this.#tail & this.#mask) * 4
    const address = this.address + id * this.sizeBytes
    this.#words[at] = address % TWO32
    this.#words[at + 1] = address / TWO32
    this.#words[at + 2] = this.sizeBytes
    this.#halves[at * 2 + 6] = id
    this.used[id] = 0
    this.#tail = (this.#tail + 1) & 0xffff
  }

  publish(): void {
    Atomics.store(this.#halves, 7, this.#tail)
  }

  /** To be called after the ring is closed. */
  close(): void {
    for (const mapping of this.#mappings) this.#libc.unmap(mapping)
  }
}

/** How many blocks a slab has. Blocks that were never used cost no memory. */
const blocksPerSlab = 16
export const blockBytes = 65_536

interface Slab {
  mapping: Mapping
  bytes: Uint8Array
  /** The free blocks of the slab, by their number in it. */
  free: number[]
}

/** Memory for bytes that sockets did not take at once: blocks at fixed addresses, in slabs. */
export class Arena {
  readonly #libc: Libc
  /** The slabs. The place of a freed slab is used for the next one. */
  readonly #slabs: (Slab | undefined)[] = []

  constructor(libc: Libc) {
    this.#libc = libc
  }

  take(): number {
    let index = this.#slabs.findIndex(slab => slab !== undefined && slab.free.length > 0)
    if (index === -1) index = this.#addSlab()
    return index * blocksPerSlab + this.#slabs[index]!.free.pop()!
  }

  #addSlab(): number {
    const mapping = this.#libc.map(blockBytes * blocksPerSlab)
    const free = Array.from({ length: blocksPerSlab }, (_, block) => blocksPerSlab - 1 - block)
    const slab = { mapping, bytes: new Uint8Array(mapping.memory), free }
    const place = this.#slabs.indexOf(undefined)
    if (place === -1) return this.#slabs.push(slab) - 1
    this.#slabs[place] = slab
    return place
  }

  #slabOf(id: number): Slab {
    return this.#slabs[Math.floor(id / blocksPerSlab)]!
  }

  give(id: number): void {
    this.#slabOf(id).free.push(id % blocksPerSlab)
  }

  address(id: number): number {
    return this.#slabOf(id).mapping.address + (id % blocksPerSlab) * blockBytes
  }

  /** Copies bytes into a block; the caller makes sure that they fit. */
  write(id: number, at: number, bytes: Uint8Array): void {
    this.#slabOf(id).bytes.set(bytes, (id % blocksPerSlab) * blockBytes + at)
  }

  /** Frees the memory of slabs that are not in use. */
  trim(): void {
    for (const [index, slab] of this.#slabs.entries()) {
      if (slab?.free.length !== blocksPerSlab) continue
      this.#libc.unmap(slab.mapping)
      this.#slabs[index] = undefined
    }
  }
}
