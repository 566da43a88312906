/** Echoes a body once all of it has come (after=body): some proxies stop at an earlier answer. */
import { Readable } from 'node:stream'
import type { EchoBody } from './connection.ts'
import { decline, type Request, type Response } from './exchange.ts'
import type { HttpConnection } from './connection.ts'

/** How many bytes of bodies may be stored, for a connection and for a thread. */
const connectionMaxBytes = 4 * 2 ** 20
const threadMaxBytes = 256 * 2 ** 20

/** @param echo sends a body back as it comes */
export function createEchoAfterBody(echo: EchoBody): EchoBody {
  const held = new WeakMap<HttpConnection, number>()
  let all = 0

  function hold(connection: HttpConnection, bytes: number) {
    held.set(connection, heldOf(connection) + bytes)
    all += bytes
  }
  const heldOf = (connection: HttpConnection) => held.get(connection) ?? 0

  /** Whether there is room for this many more bytes. If not, it answers with the refusal. */
  function fits(bytes: number, response: Response, connection: HttpConnection): boolean {
    const isLarge = heldOf(connection) + bytes > connectionMaxBytes
    if (!isLarge && all + bytes <= threadMaxBytes) return true
    if (isLarge)
      decline(response, 413, 'With after=body a connection may hold 4 MiB of bodies at a time.')
    else decline(response, 503, 'Too many bodies are held (after=body): try again.')
    return false
  }

  return (request, response, connection) => {
    const announced = Number(request.headers['content-length'] ?? 0)
    if (!fits(announced, response, connection)) {
      request.resume()
      return
    }
    const chunks: Buffer[] = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      if (fits(chunk.length, response, connection)) {
        chunks.push(chunk)
        bytes += chunk.length
        hold(connection, chunk.length)
        return
      }
      giveBack()
      request.off('data', onData).off('end', onEnd).resume()
    }
    const giveBack = () => {
      hold(connection, -bytes)
      bytes = chunks.length = 0
    }
    const onEnd = () => {
      // The stream was given up; that ends its body, too.
      if (response.stream?.closed) return
      const whole = replay(request, chunks, bytes)
      response.once('close', () => whole.destroy())
      whole.once('end', giveBack)
      echo(whole, response, connection)
    }
    request.on('data', onData).once('end', onEnd)
    response.once('close', giveBack)
  }
}

/** The request once more, now with a body of known length. */
function replay(
  { method, url, httpVersion, rawHeaders, headers }: Request,
  chunks: Buffer[],
  bytes: number,
) {
  const known = { ...headers, 'content-length': String(bytes) }
  const source = Readable.from(chunks, { objectMode: false })
  return Object.assign(source, { method, url, httpVersion, rawHeaders, headers: known })
}
