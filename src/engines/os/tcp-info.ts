/** What Linux knows of a tcp connection (TCP_INFO, tcp(7)): only the sending end's is of use. */
import { loadLibc } from './libc.ts'

export interface TcpInfo {
  /** Segments that were sent again, since the connection began. */
  retransmits: number
  rttUs: number
  /** The congestion window. */
  windowBytes: number
}

const IPPROTO_TCP = 6
const TCP_INFO = 11
/** Up to tcpi_total_retrans (linux/tcp.h). */
const wantedBytes = 104
const at = { segment: 16, rtt: 68, window: 80, retransmits: 100 }

/** Undefined where there is none: not Linux, no FFI, or no tcp. */
export function tcpInfo(fd: number): TcpInfo | undefined {
  if (process.platform !== 'linux' || fd < 0) return undefined
  const libc = loadLibc()
  if (typeof libc === 'string') return undefined
  const info = Buffer.alloc(wantedBytes)
  const size = Buffer.from(new Uint32Array([wantedBytes]).buffer)
  if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, size) !== 0) return undefined
  if (new Uint32Array(size.buffer, size.byteOffset, 1)[0]! < wantedBytes) return undefined
  const words = new DataView(info.buffer, info.byteOffset)
  const word = (offset: number) => words.getUint32(offset, isLittle)
  return {
    retransmits: word(at.retransmits),
    rttUs: word(at.rtt),
    windowBytes: word(at.window) * word(at.segment),
  }
}

const isLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
