/** FIN of the other side: HTTP/2 in Node does not heed it where both directions end alone. */
import { constants, type Http2Session, type Http2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

/** States in which the other side has said all it wanted (RFC 9113 section 5.1). */
const complete: readonly (number | undefined)[] = [
  constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE,
  constants.NGHTTP2_STREAM_STATE_CLOSED,
]

/** What came before FIN may be read after it: Node reads on when its own write has ended. */
const behindMs = 20

/**
 * After FIN: what has come whole is finished, what has not is given up, and the session closed. For
 * otherwise it would wait for ever.
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
      // Nobody may be there any more to be told.
      stream.destroy()
    }
    session.close()
  }
  socket.once('end', () => {
    if (incomplete().length === 0) return giveUp()
    // In the turn after next, however late this one is.
    setTimeout(() => setImmediate(giveUp), behindMs)
  })
}
