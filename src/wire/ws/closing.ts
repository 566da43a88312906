/** Codes and reasons of close frames (RFC 6455 section 7.4). */
import { frameHeader, opcode } from './frames.ts'

/** The reasons that a server sends with its codes. */
const reasons: Record<number, string> = {
  1002: 'that is not a valid frame of a client (RFC 6455 section 5)',
  1007: 'that is not UTF-8, or not deflated data',
  1009: 'this message is too long',
}

export const reasonOfClose = (code: number): string | undefined => reasons[code]

/** Code and reason for clients that are still connected when the server leaves. */
export const goingAway = [1001, 'the server is leaving'] as const

/** Whether a code may be sent. */
export const isCloseCode = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999)

/** The close frame of a server. */
export function closeFrame(code: number, reason = reasonOfClose(code) ?? ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return Buffer.concat([frameHeader(opcode.close, payload.length), payload])
}
