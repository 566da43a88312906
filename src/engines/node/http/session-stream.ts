/** A request and its answer as one stream, which carries a session in band over HTTP. */
import { Duplex } from 'node:stream'
import type { Request, Response } from './exchange.ts'

/**
 * The header by which a client asks for a session, since a body without it is always echoed. Its
 * value is 1 if the body begins with a hello, and the hello itself (base64url) if there is no body.
 */
export const sessionHeader = 'yodel-session'

export class ExchangeStream extends Duplex {
  readonly #request: Request
  readonly #response: Response

  /**
   * @param hasBody whether the stream reads the body of the request; without a body nothing comes
   */
  constructor(request: Request, response: Response, hasBody = true) {
    super({ allowHalfOpen: true })
    this.#request = request
    this.#response = response
    request.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) request.pause()
    })
    request.on('end', () => hasBody && this.push(null))
    response.on('close', () => this.destroy())
    response.flushHeaders()
  }

  override _read(): void {
    this.#request.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#response.write(chunk)) done()
    else this.#response.once('drain', () => done())
  }

  override _final(done: () => void): void {
    this.#response.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#response.writableEnded) this.#response.destroy()
    done(error)
  }
}
