/** The echo itself: three handlers that all connections of a thread share. */
import type { Socket } from 'node:net'
import { counter, type Meter } from '../../metrics/meter.ts'
import { failureName } from '../failures.ts'

export interface Echo {
  start(socket: Socket): void
  /** Echoes what was received but not yet delivered to us, then FIN; later bytes are discarded. */
  finish(socket: Socket): void
}

/**
 * Back-pressure instead of buffering: a client that does not read what it is sent is not read from
 * either. What a connection can hold in this process is bounded by what Node reads ahead: one chunk
 * that waits to be sent, and one that was read before the pause took hold (at most 64 KiB each).
 */
export function createEcho({ counters }: Meter): Echo {
  function echo(this: Socket, chunk: Buffer) {
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += chunk.length
    counters[counter.bytesOut]! += chunk.length
    if (!this.write(chunk)) this.pause()
  }
  function discard(chunk: Buffer) {
    counters[counter.bytesDiscarded]! += chunk.length
  }
  /** FIN is answered when everything before it has been sent (half-close, RFC 9293 section 3.6). */
  function answerFin(this: Socket) {
    this.end()
  }
  function resume(this: Socket) {
    this.resume()
  }
  function countFailure(error: Error) {
    counters[counter[failureName(error)]]!++
  }
  return {
    start(socket) {
      socket.on('data', echo).on('drain', resume).on('end', answerFin).on('error', countFailure)
    },
    finish(socket) {
      socket.off('data', echo)
      const received = socket.read() as Buffer | null
      if (received) echo.call(socket, received)
      socket.on('data', discard)
      socket.end()
      socket.resume()
    },
  }
}
