/** The figures of one direction in a result. */
import type { WrongPlace } from '../../wire/direction/trace.ts'
import type { Distribution } from '../result.ts'
import type { DirectionTcp } from './tcp.ts'

/** The figures of one direction, over all flows, as the receiver has counted them. */
export interface DirectionFigures {
  /** Bytes that were sent; null if the server sent them, and did not report the number. */
  sentBytes: number | null
  receivedBytes: number
  /**
   * The rate in the window after the warm-up, by the receiver's clock; null if the window is too
   * short to say.
   */
  bytesPerSecond: number | null
  wrongBytes: number
  firstWrong: (WrongPlace & { flow: number }) | null
  /**
   * Bytes that had not arrived when the drain was over, of flows whose end did not arrive either.
   */
  underWayBytes: number
  /** Bytes that did not arrive, although the end of their stream did. */
  missingBytes: number
  /** The times between arrivals. */
  gapUs: Distribution
  /** What the kernel of the sender knows (TCP_INFO), over all flows; absent if it does not tell. */
  tcp?: DirectionTcp
  datagrams?: DirectionDatagrams
}

/** The datagrams of one direction (udp), without those of the warm-up. */
export interface DirectionDatagrams {
  /**
   * These three are null if the server sent the datagrams, and did not report the numbers in time.
   */
  sent: number | null
  /** Datagrams that arrived; duplicates do not count. */
  received: number
  lost: number | null
  duplicated: number
  /** Datagrams that came after one that was sent later. */
  reordered: number
  wrong: number
  /** Their header was wrong, so it is not known which they were; they are in no other count. */
  wrongHeads: number
  /** The jitter of RFC 3550 section 6.4.1; with several flows the highest. */
  jitterUs: number
  /**
   * The delay above the smallest delay (RFC 5481: PDV), and the difference to the datagram before
   * (IPDV).
   */
  variationUs: Distribution
  betweenUs: Distribution
  /** How late the sender itself was, at the 99th percentile. */
  lateUs: number | null
}
