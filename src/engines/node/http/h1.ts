/** The HTTP/1.1 parser of Node in its strict mode, and the answers to what it refuses. */
import { createServer, type Server } from 'node:http'
import type { FailureName } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import { rawDecline, type Request, type Response } from './exchange.ts'
import { answerOf, headersMaxBytes, methods, type ParserError } from './rules.ts'
import type { HttpConnection } from './connection.ts'

type Refusal = [status: number, failure: FailureName, why: string]

const refusals: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: [
    431,
    'protocol',
    `Request line and headers have ${headersMaxBytes} bytes at most.`,
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'protocol', 'The chunk extensions are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'timedOut', 'The headers took too long.'],
}

/** @param connectionOf finds the connection of a socket that was given to this server */
export function createParser(
  { handshakeTimeoutMs }: ServeTask,
  connectionOf: (socket: unknown) => HttpConnection | undefined,
  answer: (request: Request, response: Response, connection: HttpConnection) => void,
): Server {
  const timeoutMs = Math.min(handshakeTimeoutMs, timerMaxMs)
  const server = createServer({
    maxHeaderSize: headersMaxBytes,
    // Slow headers time out. A slow body does not: a user may want to see it echoed.
    headersTimeout: timeoutMs,
    requestTimeout: 0,
    connectionsCheckingInterval: Math.max(10, Math.min(1_000, timeoutMs / 4)),
    // One idle timeout serves all transports, so the timeout of the parser is off.
    keepAliveTimeout: 0,
    // rules.ts checks the Host header, so that a refusal is counted and has a sentence.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
  })
  // The number of headers is not limited, since all are described; their size is limited.
  server.maxHeadersCount = 0
  for (const event of ['request', 'checkExpectation'] as const)
    server.on(event, (request, response) =>
      answer(request, response, connectionOf(request.socket)!),
    )
  // Without a listener Node would end the connection without an answer.
  server.on('connect', (_, socket) => {
    connectionOf(socket)?.refuse(rawDecline(405, 'This is not a proxy.', ['Allow', methods]))
  })
  server.on('clientError', (error: ParserError, socket) => {
    const connection = connectionOf(socket)
    if (!connection || connection.refused) return
    const { code = '' } = error
    const malformed = code.startsWith('HPE_') || Object.hasOwn(refusals, code)
    // An error of the connection is counted elsewhere; otherwise the client left during a request.
    if (!malformed || code === 'HPE_INVALID_EOF_STATE') {
      if (malformed) connection.fail('closedEarly')
      socket.destroy()
      return
    }
    const { reason = 'The parser does not know it' } = error
    const other: Refusal = [400, 'protocol', `That is not HTTP/1.1: ${reason}.`]
    const [status, failure, why] = refusals[code] ?? other
    connection.fail(failure)
    connection.refuse(rawDecline(...(answerOf(error) ?? ([status, why] as const))))
  })
  // Node checks for slow headers from `listening` on, and this server never listens.
  server.emit('listening')
  return server
}
