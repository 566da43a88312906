/**
 * Joins the fragments of a message as they come. The package `ws` holds each as an object until the
 * message is complete, also the chunks of the next one: a million fragments are a million objects.
 * Joined, a message needs no limit but that of its length.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'

/** Turns off the limits of the package: they count fragments, which are joined here. */
export const anyFragments = { maxFragments: 0, maxBufferedChunks: 0 } as object

/** How many fragments are collected before they are joined. */
const togetherMax = 256

/** The receiver of ws has no public name. */
interface WsReceiver {
  _fragments: Buffer[]
  _buffers: Buffer[]
}

/** To be called after the upgrade, before the first bytes come. */
export function joinFragments(ws: WebSocket, socket: Socket): void {
  const receiver = (ws as unknown as { _receiver: WsReceiver })._receiver
  let fragments: Buffer[] | undefined
  let joined = 0
  let reads = 0
  // The package has the chunk already: it listened first.
  socket.on('data', () => {
    if (fragments !== receiver._fragments) {
      fragments = receiver._fragments
      joined = 0
    }
    if (fragments.length - joined > togetherMax) {
      fragments.push(Buffer.concat(fragments.splice(joined)))
      joined = fragments.length
    }
    // The package takes chunks only from the front; these are the last that came.
    if (++reads < togetherMax) return
    reads = 0
    const { _buffers: buffers } = receiver
    if (buffers.length >= togetherMax)
      buffers.push(Buffer.concat(buffers.splice(buffers.length - togetherMax)))
  })
}
