/**
 * Sends memory over a socket without copying it (Linux): its pages go by reference into a pipe, and
 * from there into the socket (vmsplice(2), splice(2)). The system may send a page again after it
 * was sent, so what lies in it must never change.
 */
import { openSync } from 'node:fs'
import { F_SETPIPE_SZ, O_CLOEXEC, SPLICE_F_NONBLOCK } from './kernel-numbers.ts'
import type { Libc } from './libc.ts'
import { mapOwned } from './owned-memory.ts'

const pageBytes = 4096
/**
 * The largest pipe that a process without privileges may ask for (pipe(7)). It limits how many
 * pages are in the pipe.
 */
const pipeBytes = 2 ** 20
const slots = pipeBytes / pageBytes
/** An iovec: the words of its address, and of its length. */
const entryWords = 4
const TWO32 = 2 ** 32

/** Memory that may be sent in this way: nothing else ever lies in its pages. */
export class Pages {
  readonly bytes: Buffer
  readonly #address: number

  /** @throws if there is no memory */
  constructor(libc: Libc, sizeBytes: number) {
    const { memory, address } = mapOwned(libc, Math.ceil(sizeBytes / pageBytes) * pageBytes)
    this.bytes = Buffer.from(memory)
    this.#address = address
  }

  /** The address of a byte in this memory. */
  addressAt(place: number): number {
    return this.#address + place
  }
}

/** A pipe, which is empty between two calls. */
export class PageSender {
  readonly #libc: Libc
  readonly #out: number
  readonly #into: number
  /** A descriptor of /dev/null, which takes what a socket did not take. */
  readonly #nowhere: number
  readonly #entries = new Uint32Array(slots * entryWords)
  readonly #memory = new Uint8Array(this.#entries.buffer)
  #count = 0
  #pages = 0
  #isBroken = false

  private constructor(libc: Libc, out: number, into: number, nowhere: number) {
    this.#libc = libc
    this.#out = out
    this.#into = into
    this.#nowhere = nowhere
  }

  /** Opens a sender; undefined if the system cannot do this. */
  static open(libc: Libc): PageSender | undefined {
    const ends = new Int32Array(2)
    if (libc.pipe2(new Uint8Array(ends.buffer), O_CLOEXEC) < 0) return undefined
    const [out, into] = ends as unknown as [number, number]
    if (libc.fcntl(into, F_SETPIPE_SZ, pipeBytes) >= pipeBytes) {
      try {
        return new PageSender(libc, out, into, openSync('/dev/null', 'w'))
      } catch {
        // No descriptor is left; the pipe is closed again.
      }
    }
    libc.close(out)
    libc.close(into)
    return undefined
  }

  close(): void {
    for (const fd of [this.#out, this.#into, this.#nowhere]) this.#libc.close(fd)
  }

  /** Whether the system has refused to send in this way. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Adds a piece to what is sent next. @returns false if there is no place for it in the pipe */
  add(address: number, bytes: number): boolean {
    const pages =
      Math.floor((address + bytes - 1) / pageBytes) - Math.floor(address / pageBytes) + 1
    if (this.#pages + pages > slots) return false
    this.#pages += pages
    const at = this.#count++ * entryWords
    this.#entries[at] = address % TWO32
    this.#entries[at + 1] = address / TWO32
    this.#entries[at + 2] = bytes
    return true
  }

  /**
   * Sends the pieces that were added, one after the other, to a socket that does not block, as far
   * as it takes them at once. @returns how many bytes it took
   */
  send(fd: number): number {
    const libc = this.#libc
    const count = this.#count
    this.#count = 0
    this.#pages = 0
    let taken = 0
    let left = libc.vmsplice(this.#into, this.#memory, count, SPLICE_F_NONBLOCK)
    if (left < 0) this.#isBroken = true
    while (left > 0) {
      const moved = libc.splice(this.#out, 0, fd, 0, left, SPLICE_F_NONBLOCK)
      if (moved <= 0) {
        this.#isBroken = moved < 0 && !full.has(libc.errorName())
        break
      }
      left -= moved
      taken += moved
    }
    while (left > 0) {
      const dropped = libc.splice(this.#out, 0, this.#nowhere, 0, left, 0)
      if (dropped <= 0) throw new Error('A pipe cannot be emptied.')
      left -= dropped
    }
    return taken
  }
}

/** Errors that mean: the socket has no room, or it is closed (which Node notices, too). */
const full = new Set(['EAGAIN', 'EWOULDBLOCK', 'EPIPE', 'ECONNRESET', 'EBADF', 'ENOTCONN'])
