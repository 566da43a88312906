/** How many bytes were written to a stream: those that Node wrote, and those written past Node. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

const besideNode = new WeakMap<Duplex, number>()

/** The system has taken this many bytes that Node did not write. */
export function wroteBeside(socket: Socket, bytes: number): void {
  besideNode.set(socket, (besideNode.get(socket) ?? 0) + bytes)
}

/**
 * How many bytes were written to a stream. Some may still be in this process (node/core/unsent). 0
 * if the stream does not count them.
 */
export function writtenTo(stream: Duplex): number {
  const byNode = 'bytesWritten' in stream ? (stream as Socket).bytesWritten : 0
  return byNode + (besideNode.get(stream) ?? 0)
}
