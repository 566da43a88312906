/** The figures of one direction in a result. */
import type { WrongPlace } from '../../wire/direction/trace.ts'
import type { Distribution } from '../result.ts'
import type { DirectionTcp } from './tcp.ts'

/** One direction, over all flows; what arrived is what the receiver says of it. */
export interface DirectionFigures {
  /** Null if the server, which sent it, did not say. */
  sentBytes: number | null
  receivedBytes: number
  /**
   * The rate in the window after the warm-up, by the receiver's clock; null if the window is too
   * short to say.
   */
  bytesPerSecond: number | null
  wrongBytes: number
  firstWrong: (WrongPlace & { flow: number }) | null
  /** Sent, and not there when the drain was over; the end of the stream did not come either. */
  underWayBytes: number
  /** Sent before the end of the stream, which came without them. */
  missingBytes: number
  /** Between arrivals. */
  gapUs: Distribution
  /** What the system of the sender says (TCP_INFO), over all flows; absent where it does not. */
  tcp?: DirectionTcp
  datagrams?: DirectionDatagrams
}

/** Of udp, in one direction; what is sent in the warm-up is left out. */
export interface DirectionDatagrams {
  /** These three are null if the server, which sent them, did not say: it was not asked in time. */
  sent: number | null
  /** Different ones. */
  received: number
  lost: number | null
  duplicated: number
  /** They came after one that was sent later. */
  reordered: number
  wrong: number
  /** Their head was wrong, so it is not known which they were; they are in no other count. */
  wrongHeads: number
  /** RFC 3550 section 6.4.1; with several flows the highest. */
  jitterUs: number
  /** Delay above the least delay (RFC 5481: PDV), and from one to the next (IPDV). */
  variationUs: Distribution
  betweenUs: Distribution
  /** How late the sender itself was, at the 99th percentile. */
  lateUs: number | null
}
