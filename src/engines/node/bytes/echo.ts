/** The echo itself: three handlers that all connections of a thread share. */
import type { Socket } from 'node:net'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { unsentMaxBytes, type HoldBack } from '../../backpressure.ts'
import { failureName } from '../../failures.ts'
import type { PlainEcho } from '../core/faulty-echo.ts'
import { countGarbage } from '../../garbage.ts'

/**
 * A connection holds at most 256 KiB in this process: up to `unsentMaxBytes` and one more chunk
 * that wait to be sent, and one chunk that was read before the pause took effect (a chunk has at
 * most 64 KiB).
 */
export function createEcho({ counters }: Meter, holdBack: HoldBack): PlainEcho {
  function echo(this: Socket, chunk: Buffer) {
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += chunk.length
    counters[counter.bytesOut]! += chunk.length
    this.write(chunk)
    countGarbage(chunk.length)
    // The result of write() does not help: it comes before the system has accepted anything.
    if (this.writableLength > unsentMaxBytes) holdBack(this)
  }
  function discard(chunk: Buffer) {
    counters[counter.bytesDiscarded]! += chunk.length
  }
  /** FIN is answered when everything before it has been sent (half-close, RFC 9293 section 3.6). */
  function answerFin(this: Socket) {
    this.end()
  }
  function resume(this: Socket) {
    if (this.isPaused()) this.resume()
  }
  function countFailure(error: Error) {
    counters[counter[failureName(error)]]!++
  }
  return {
    start(socket) {
      socket.on('data', echo).on('drain', resume).on('end', answerFin).on('error', countFailure)
    },
    leaveTo(socket) {
      socket.off('data', echo).off('drain', resume).off('end', answerFin).off('error', countFailure)
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
