/**
 * Reads the frames of a client with the reader of wire/ws instead of the package's own, unless they
 * are compressed. The package takes masks off byte by byte, and passes each chunk through a stream.
 */
import type { Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import { found, WsFrameReader } from '../../../wire/ws/frame-reader.ts'
import { opcode } from '../../../wire/ws/frames.ts'
import { Memory } from '../../../wire/ws/mask.ts'

/** The receiver of ws has no public name. */
interface PackageReceiver extends Writable {
  createError(
    kind: ErrorConstructor,
    message: string,
    hasPrefix: boolean,
    closeCode: number,
    code: string,
  ): Error
}

const tooLong = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/**
 * To be called after the upgrade, before the first bytes come. The package gets the events that its
 * receiver would emit.
 */
export function readFrames(ws: WebSocket, messageMaxBytes: number): void {
  const receiver = (ws as unknown as { _receiver: PackageReceiver })._receiver
  const reader = new WsFrameReader(true, messageMaxBytes)
  receiver.write = (chunk: Buffer) => {
    reader.give(new Memory(chunk), 0, chunk.length)
    for (let what; (what = reader.next()) !== found.NONE;) {
      if (what === found.FAILURE) {
        receiver.destroy(errorOf(receiver, reader.code))
        break
      }
      const payload = payloadOf(reader, chunk)
      if (what === found.MESSAGE) receiver.emit('message', payload, reader.opcode === opcode.binary)
      else if (what === found.CLOSE) {
        receiver.emit('conclude', reader.code, payload.subarray(2))
        receiver.end()
      } else receiver.emit(what === found.PING ? 'ping' : 'pong', payload)
    }
    return true
  }
}

const errorOf = (receiver: PackageReceiver, code: number): Error =>
  receiver.createError(
    RangeError,
    'it breaks the rules',
    true,
    code,
    code === 1009 ? tooLong : 'WS_ERR_INVALID_FRAME',
  )

/** Listeners may keep it. */
function payloadOf(reader: WsFrameReader, chunk: Buffer): Buffer {
  const { at, length } = reader
  if (!reader.isCopy) return chunk.subarray(at, at + length)
  const { buffer, byteOffset } = reader.keep()
  return Buffer.from(buffer, byteOffset + at, length)
}
