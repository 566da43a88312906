/**
 * Ends an HTTP/2 session after the peer's FIN. Node does not do that if a socket may be half-open.
 */
import { constants, type Http2Session, type Http2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

/** States in which the peer has ended its side of a stream (RFC 9113 section 5.1). */
const complete: readonly (number | undefined)[] = [
  constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE,
  constants.NGHTTP2_STREAM_STATE_CLOSED,
]

/**
 * Frames that came before FIN may be parsed after it: Node goes on parsing when its own write has
 * ended.
 */
const behindMs = 20

/**
 * After FIN the requests that came whole are answered, the other streams are cancelled, and the
 * session is closed. Otherwise it would wait for ever.
 */
export function heedFin(
  session: Http2Session,
  socket: Duplex,
  streams: () => Iterable<Http2Stream>,
): void {
  const incomplete = () =>
    [...streams()].filter(stream => !stream.closed && !complete.includes(stream.state.state))
  const giveUp = () => {
    for (const stream of incomplete()) {
      stream.close(constants.NGHTTP2_CANCEL)
      // The peer may not be there any more to take the RST_STREAM.
      stream.destroy()
    }
    session.close()
  }
  socket.once('end', () => {
    if (incomplete().length === 0) return giveUp()
    // Waits for one more turn of the loop, in case this timer is late.
    setTimeout(() => setImmediate(giveUp), behindMs)
  })
}
