/** Writes frames to a socket without copying them, where the system can. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { frameHeadBytes } from '../../../wire/direction/frames.ts'
import type { Sender } from '../../../load/direction/sender.ts'
import type { Payload } from '../../../load/payload.ts'
import { loadLibc } from '../../os/libc.ts'
import { Pages, PageSender } from '../../os/pages.ts'
import { wroteBeside } from '../../written.ts'
import { handleDescriptor } from '../core/listener.ts'
import { pagesOf } from './session-payload.ts'

/** Smaller frames are copied, since to send a page by reference costs more than that. */
const frameMinBytes = 16_384
/** How much is sent at a time. */
const burstBytes = 768 * 1024

/** What all flows of a thread have in common. */
let shared: PageSender | undefined | 'none'

function share(): PageSender | undefined {
  if (shared === undefined) {
    const libc = process.platform === 'linux' ? loadLibc() : 'none'
    const sender = typeof libc === 'string' ? undefined : PageSender.open(libc)
    // Also called when a thread ends.
    process.once('exit', () => sender?.close())
    shared = sender ?? 'none'
  }
  return shared === 'none' ? undefined : shared
}

export class PagedOutlet {
  readonly #socket: Socket
  readonly #payload: Payload
  readonly #pages: Pages
  readonly #head: Pages
  readonly #shared: PageSender
  readonly #sender: Sender
  readonly #frameBytes: number
  /** How many bytes of the next frame have been sent. */
  #cutBytes = 0

  private constructor(socket: Socket, sender: Sender, pages: Pages, shared: PageSender) {
    this.#socket = socket
    this.#sender = sender
    this.#payload = sender.payload
    this.#pages = pages
    this.#head = new Pages(loadLibc() as Exclude<ReturnType<typeof loadLibc>, string>, 1)
    sender.head.copy(this.#head.bytes)
    this.#shared = shared
    this.#frameBytes = frameHeadBytes + sender.sizeBytes
  }

  /** An outlet over this stream; undefined if frames have to be copied. */
  static over(stream: Duplex, sender: Sender): PagedOutlet | undefined {
    if (sender.byRate || sender.sizeBytes < frameMinBytes) return undefined
    if (!(stream instanceof Socket) || stream instanceof TLSSocket) return undefined
    const pages = pagesOf(sender.payload)
    const found = pages && share()
    return found && !found.isBroken ? new PagedOutlet(stream, sender, pages, found) : undefined
  }

  /** Whether the system has refused. From then on this takes nothing. */
  get isBroken(): boolean {
    return this.#shared.isBroken
  }

  /**
   * How many bytes of the next frame have been sent. The caller has to send the rest of it in
   * another way.
   */
  takeCut(): number {
    const cutBytes = this.#cutBytes
    this.#cutBytes = 0
    return cutBytes
  }

  /**
   * Sends as many frames as the system takes at once; the sender has moved on by those that are
   * whole. @returns how many bytes it took, and whether it took all that it was given
   */
  pour(): { taken: number; isFull: boolean } {
    const fd = handleDescriptor(this.#socket)
    // Bytes that were written before have to leave first.
    if (this.isBroken || fd === -1 || this.#socket.writableLength > 0)
      return { taken: 0, isFull: true }
    const given = this.#gather()
    const taken = this.#shared.send(fd)
    wroteBeside(this.#socket, taken)
    const sent = this.#cutBytes + taken
    const frames = Math.floor(sent / this.#frameBytes)
    this.#sender.skip(frames)
    this.#cutBytes = sent - frames * this.#frameBytes
    return { taken, isFull: taken < given }
  }

  /** Collects the pieces to send next. Returns how many bytes they have. */
  #gather(): number {
    const { flow, sizeBytes, bytes: begun } = this.#sender
    let given = 0
    let cut = this.#cutBytes
    for (let at = begun; given < burstBytes; at += sizeBytes) {
      if (cut < frameHeadBytes) {
        if (!this.#shared.add(this.#head.addressAt(cut), frameHeadBytes - cut)) return given
        given += frameHeadBytes - cut
      }
      for (let from = Math.max(0, cut - frameHeadBytes); from < sizeBytes;) {
        const piece = Math.min(sizeBytes - from, this.#payload.pieceBytes(at + from))
        const place = this.#pages.addressAt(this.#payload.at(flow, at + from))
        if (!this.#shared.add(place, piece)) return given
        given += piece
        from += piece
      }
      cut = 0
    }
    return given
  }
}
