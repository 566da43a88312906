/**
 * What the package `ws` holds of a message that is not complete: the fragments that came, and what
 * was read of the next one. Each is an object, and a message of a million fragments would be a
 * million of them. Here they are joined as they come, so that the length of the message is the only
 * bound that it needs.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'

/** No bounds of the package: it counts pieces, which are few here. */
export const anyPieces = { maxFragments: 0, maxBufferedChunks: 0 } as object

/** Joined when there are so many. */
const togetherMax = 256

/** Its receiver has no public name. */
interface Receiver {
  _fragments: Buffer[]
  _buffers: Buffer[]
}

/** To be called when the upgrade is done, before anything comes. */
export function keepInFewPieces(ws: WebSocket, socket: Socket): void {
  const receiver = (ws as unknown as { _receiver: Receiver })._receiver
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
    // They are taken away in front only: these are the last that came.
    if (++reads < togetherMax) return
    reads = 0
    const { _buffers: buffers } = receiver
    if (buffers.length >= togetherMax)
      buffers.push(Buffer.concat(buffers.splice(buffers.length - togetherMax)))
  })
}
