/** What the kernel knows of the path of a connection: TCP_INFO of tcp(7), IP_MTU of ip(7). */
import { loadLibc } from './libc.ts'
import { IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_MTU, IP_MTU } from './kernel-numbers.ts'
import { TCP_INFO, TCP_QUICKACK } from './kernel-numbers.ts'

export interface PathInfo {
  /** The largest segment that is sent, and the largest that the other side allows us to send. */
  readonly sendMssBytes: number
  /** The MSS that this end has told the other side. */
  readonly advertisedMssBytes: number
  readonly pathMtuBytes: number
  /** Segments that were sent and are not acknowledged. */
  readonly unackedSegments: number
  /** Segments that were sent again since the connection was opened. */
  readonly retransmitted: number
  /**
   * Segments with data that were sent (repeated ones included); that came; and that came after a
   * later one.
   */
  readonly sentSegments: number | undefined
  readonly cameSegments: number | undefined
  readonly outOfOrder: number | undefined
  /** Segments that were sent again needlessly: the other side has reported that it had them. */
  readonly needless: number | undefined
  /** How often the oldest unacknowledged segment was sent again so far. */
  readonly retries: number
  /** The smoothed round trip, in microseconds. */
  readonly rttUs: number
  /** The congestion window, in segments. */
  readonly windowSegments: number
}

const sizeBytes = 256

/**
 * What the kernel knows of a connection; undefined if it does not tell: another system, no FFI, not
 * a TCP descriptor.
 */
export function pathInfo(fd: number): PathInfo | undefined {
  const info = read(fd, IPPROTO_TCP, TCP_INFO, sizeBytes)
  // Older kernels return fewer fields, but always these.
  if (!info || info.length < 104) return undefined
  return {
    retries: info.readUInt8(2),
    sendMssBytes: info.readUInt32LE(16),
    unackedSegments: info.readUInt32LE(24),
    pathMtuBytes: info.readUInt32LE(60),
    rttUs: info.readUInt32LE(68),
    windowSegments: info.readUInt32LE(80),
    advertisedMssBytes: info.readUInt32LE(84),
    retransmitted: info.readUInt32LE(100),
    cameSegments: info.length >= 160 ? info.readUInt32LE(152) : undefined,
    sentSegments: info.length >= 160 ? info.readUInt32LE(156) : undefined,
    needless: info.length >= 220 ? info.readUInt32LE(216) : undefined,
    outOfOrder: info.length >= 228 ? info.readUInt32LE(224) : undefined,
  }
}

/** What the kernel of a sender knows about its connection, second by second. */
export interface TcpInfo {
  /** Segments that were sent again, since the connection began. */
  retransmits: number
  rttUs: number
  /** The congestion window. */
  windowBytes: number
}

/** What the kernel of this sender knows; undefined in the same cases as pathInfo(). */
export function tcpInfo(fd: number): TcpInfo | undefined {
  const info = pathInfo(fd)
  if (!info) return undefined
  const { retransmitted: retransmits, rttUs, windowSegments, sendMssBytes } = info
  return { retransmits, rttUs, windowBytes: windowSegments * sendMssBytes }
}

/** For a connected socket: the longest packet that the path carries, as far as the kernel knows. */
export function pathMtu(fd: number, family: 4 | 6): number | undefined {
  const found = family === 4 ? read(fd, IPPROTO_IP, IP_MTU, 4) : read(fd, IPPROTO_IPV6, IPV6_MTU, 4)
  return found?.readInt32LE(0)
}

function read(fd: number, level: number, name: number, bytes: number): Buffer | undefined {
  const libc = loadLibc()
  if (typeof libc === 'string' || process.platform !== 'linux') return undefined
  const value = Buffer.alloc(bytes)
  const size = Buffer.from(Uint32Array.of(bytes).buffer)
  if (libc.getsockopt(fd, level, name, value, size) < 0) return undefined
  return value.subarray(0, size.readUInt32LE(0))
}

/**
 * Sets whether the next bytes are acknowledged at once (TCP_QUICKACK); false if the system cannot
 * do that.
 */
export function quickAck(fd: number, on: boolean): boolean {
  const libc = loadLibc()
  if (typeof libc === 'string' || process.platform !== 'linux') return false
  const value = Buffer.from(Int32Array.of(Number(on)).buffer)
  return libc.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, value, value.length) === 0
}
