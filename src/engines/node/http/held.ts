/** A body that is echoed once all of it has come: for a proxy that reads no answer before that. */
import { Readable } from 'node:stream'
import { decline, type EchoBody, type Request, type Response } from './exchange.ts'
import type { Visitor } from './visitor.ts'

/** Of all bodies of a connection, and of all connections of a thread. */
const connectionMaxBytes = 4 * 2 ** 20
const threadMaxBytes = 256 * 2 ** 20

/** The echo of whole bodies, by the one that begins at once. */
export function createHeldBody(echo: EchoBody): EchoBody {
  const held = new WeakMap<Visitor, number>()
  let all = 0

  function hold(visitor: Visitor, bytes: number) {
    held.set(visitor, heldOf(visitor) + bytes)
    all += bytes
  }
  const heldOf = (visitor: Visitor) => held.get(visitor) ?? 0

  /** Whether there is room for so many more; if not, that is the answer. */
  function fits(bytes: number, response: Response, visitor: Visitor): boolean {
    const isLarge = heldOf(visitor) + bytes > connectionMaxBytes
    if (!isLarge && all + bytes <= threadMaxBytes) return true
    if (isLarge)
      decline(response, 413, 'Of a connection, bodies of 4 MiB are held (after=body) at a time.')
    else decline(response, 503, 'Too many bodies are held (after=body): try again.')
    return false
  }

  return (request, response, visitor) => {
    const announced = Number(request.headers['content-length'] ?? 0)
    if (!fits(announced, response, visitor)) {
      request.resume()
      return
    }
    const chunks: Buffer[] = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      if (fits(chunk.length, response, visitor)) {
        chunks.push(chunk)
        bytes += chunk.length
        hold(visitor, chunk.length)
        return
      }
      giveBack()
      request.off('data', onData).off('end', onEnd).resume()
    }
    const giveBack = () => {
      hold(visitor, -bytes)
      bytes = chunks.length = 0
    }
    const onEnd = () => {
      // What was given up ends, too.
      if (response.stream?.closed) return
      const whole = replay(request, chunks, bytes)
      response.once('close', () => whole.destroy())
      whole.once('end', giveBack)
      echo(whole, response, visitor)
    }
    request.on('data', onData).once('end', onEnd)
    response.once('close', giveBack)
  }
}

/** The same request once more, of known length. */
function replay(
  { method, url, httpVersion, rawHeaders, headers }: Request,
  chunks: Buffer[],
  bytes: number,
) {
  const known = { ...headers, 'content-length': String(bytes) }
  const source = Readable.from(chunks, { objectMode: false })
  return Object.assign(source, { method, url, httpVersion, rawHeaders, headers: known })
}
