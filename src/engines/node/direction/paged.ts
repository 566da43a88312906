/** Writes frames to a socket without copying them, where the system can. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { frameHeadBytes } from '../../../wire/direction/frames.ts'
import { sizeMaxBytes } from '../../../wire/direction/hello.ts'
import type { Payload } from '../../../load/payload.ts'
import { loadLibc } from '../../os/libc.ts'
import { Pages, PageSender } from '../../os/pages.ts'
import { wroteBeside } from '../../written.ts'
import { descriptorOf } from '../core/listener.ts'
import { pagesOf } from './payload.ts'

/** Smaller frames are copied: a page that is sent by reference costs more than one of them. */
const frameMinBytes = 16_384

/** What all flows of a thread have in common. */
interface Shared {
  sender: PageSender
  /** The head of a frame of each size: they must not change, either. */
  heads: Pages
}
let shared: Shared | undefined | 'none'

function share(): Shared | undefined {
  if (shared === undefined) {
    const libc = process.platform === 'linux' ? loadLibc() : 'none'
    const sender = typeof libc === 'string' ? undefined : PageSender.open(libc)
    const size = (sizeMaxBytes + 1) * frameHeadBytes
    // Also called when a thread ends.
    process.once('exit', () => sender?.close())
    shared = sender
      ? { sender, heads: new Pages(libc as Exclude<typeof libc, string>, size) }
      : 'none'
  }
  return shared === 'none' ? undefined : shared
}

export class PagedOutlet {
  readonly #socket: Socket
  readonly #pages: Pages
  readonly #shared: Shared

  private constructor(socket: Socket, pages: Pages, shared: Shared) {
    this.#socket = socket
    this.#pages = pages
    this.#shared = shared
  }

  /** Undefined where frames have to be copied. */
  static over(stream: Duplex, payload: Payload, sizeBytes: number): PagedOutlet | undefined {
    if (sizeBytes < frameMinBytes) return undefined
    if (!(stream instanceof Socket) || stream instanceof TLSSocket) return undefined
    const pages = pagesOf(payload)
    const found = pages && share()
    return found && !found.sender.isBroken ? new PagedOutlet(stream, pages, found) : undefined
  }

  /** Set when the system has refused; from then on this takes nothing. */
  get isBroken(): boolean {
    return this.#shared.sender.isBroken
  }

  /** @returns how many bytes the system has taken; what is left has to be written as usual */
  write(pieces: readonly Buffer[]): number {
    const { sender } = this.#shared
    const fd = descriptorOf(this.#socket)
    // What was written before has to go first.
    if (sender.isBroken || fd === -1 || this.#socket.writableLength > 0) return 0
    const taken = sender.send(
      fd,
      pieces.map(piece => [this.#pages.addressOf(piece) ?? this.#headAt(piece), piece.length]),
    )
    wroteBeside(this.#socket, taken)
    return taken
  }

  #headAt(head: Buffer): number {
    const { heads } = this.#shared
    const at = heads.bytes.subarray(head.readUInt32BE(4) * frameHeadBytes)
    if (at[0] === 0) head.copy(at)
    return heads.addressOf(at)!
  }
}
