/**
 * Has a socket read into memory that is used again and again. Node can do that only for sockets
 * that a client makes (`onread`), not for accepted ones. If each chunk has memory of its own, that
 * costs almost half of the processor time of receiving: the memory is allocated, and collected soon
 * after.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { Pause } from './pause.ts'

/** One buffer for all connections of a thread: what was read is used within the same call. */
let shared: Buffer | undefined
const sharedBytes = 256 * 1024
/**
 * A read of this many bytes shows a fast stream: before the next read, bytes gather for a while.
 */
const fastBytes = 64 * 1024

type OnRead = (bytes: number, buffer: Buffer) => boolean

/**
 * From now on what comes is given to the listener, and not emitted as `data`.
 * @returns false if this stream or this version of Node cannot do that; then nothing has changed
 */
export function readInto(stream: Duplex, onBytes: (chunk: Buffer) => void): boolean {
  if (!(stream instanceof Socket) || stream instanceof TLSSocket) return false
  if (stream.readableLength > 0 || stream.destroyed) return false
  const handle = (stream as unknown as { _handle: { useUserBuffer?(buffer: Buffer): void } | null })
    ._handle
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map(name =>
    Object.getOwnPropertySymbols(stream).find(({ description }) => description === name),
  )
  if (!handle?.useUserBuffer || !buffer || !callback) return false
  shared ??= Buffer.allocUnsafeSlow(sharedBytes)
  // No pause for unix sockets: their buffer is small, so the sender would have to wait.
  let pause: Pause | undefined | 'none' = stream.remoteAddress === undefined ? 'none' : undefined
  const goOn = () => {
    if (!stream.destroyed) stream.resume()
  }
  const onRead: OnRead = (bytes, into) => {
    onBytes(into.subarray(0, bytes))
    // If the buffer is full there is more; it is read at once.
    if (pause === 'none' || bytes < fastBytes || bytes === into.length) return true
    if (stream.destroyed) return true
    pause ??= Pause.join() ?? 'none'
    if (pause === 'none') return true
    pause.begin(goOn)
    return false
  }
  stream.once('close', () => pause !== 'none' && pause?.leave())
  const inner = stream as unknown as Record<symbol, unknown>
  inner[buffer] = shared
  inner[callback] = onRead
  handle.useUserBuffer(shared)
  stream.resume()
  return true
}
