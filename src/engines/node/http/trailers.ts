/** The trailer of a body goes back with its echo, where the client takes one (RFC 9110). */
import { asObject, type Header } from '../../../wire/http/headers.ts'
import type { Request, Response } from './exchange.ts'

/** Whether the client accepts trailers: it has to say so. (gRPC over HTTP/2 always does.) */
const takesThem = ({ headers }: Request) => /\btrailers\b/i.test(String(headers['te'] ?? ''))

/**
 * Headers that frame messages, route them or give access: they are not allowed in a trailer
 * (section 6.5.1).
 */
const misplaced =
  /^(content-|transfer-|connection$|keep-alive$|upgrade$|host$|te$|trailer$|set-cookie|.*auth)/i

/** Adds the trailer to an answer, before its end. */
export function echoTrailers(request: Request, response: Response): void {
  const { rawTrailers = [] } = request
  if (rawTrailers.length === 0 || !takesThem(request)) return
  const pairs = rawTrailers.flatMap((name, at): Header[] =>
    at % 2 === 0 && !misplaced.test(name) ? [[name, rawTrailers[at + 1]!]] : [],
  )
  response.addTrailers(asObject(pairs))
}
