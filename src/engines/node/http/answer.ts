/** Answers a request: echoes its body, or describes a request that has none. */
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { WebRules } from '../../../options/serve.ts'
import type { ServeTask } from '../../../task.ts'
import { describeRequest } from './describe.ts'
import { decline, setSafeHeaders, type Request, type Response } from './exchange.ts'
import { createEchoAfterBody } from './after-body.ts'
import { companions, echoed, faultIn, methods, httpRefusalOf, type HttpRefusal } from './rules.ts'
import type { EchoBody, HttpConnection } from './connection.ts'
import { directivesOf, type Directives } from './directives.ts'
import { unsentMaxBytes, type HoldBack } from '../../backpressure.ts'
import { countGarbage } from '../../garbage.ts'
import { echoTrailers } from './trailers.ts'

/** How many answers of one connection may be delayed: pipelining would allow any number. */
const delayedMax = 100
/** Node sends the head of an answer and a text as one piece, but the head and a buffer as two. */
const asTextMaxBytes = 4 * 1024
/** Answers that have no content (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5). */
const empty = new Set([204, 205, 304])

const isRefusal = (directives: Directives | HttpRefusal): directives is HttpRefusal =>
  Array.isArray(directives)

function countFault(response: Response, connection: HttpConnection, counters: Float64Array): void {
  if (connection.session) {
    counters[counter.protocol]!++
    return
  }
  // Later errors of this connection are not counted again.
  connection.fail('protocol')
  connection.refused = true
  response.setHeader('Connection', 'close')
}

/** The directives of the request, or the status and the sentence of a refusal. */
function allowed(request: Request, web: WebRules): Directives | HttpRefusal {
  const refusal = httpRefusalOf(request)
  if (refusal) return refusal
  if (!isWelcome(request.headers.origin, web))
    return [403, 'Pages from this origin may not connect.']
  const directives = directivesOf(request)
  return typeof directives === 'string' ? [400, directives] : directives
}

export type AnswerRequest = (
  request: Request,
  response: Response,
  connection: HttpConnection,
) => void

/** @param isSession whether `echo` answers a request although it has no body */
export function createAnswer(
  { web }: ServeTask,
  { counters }: Meter,
  echo: EchoBody,
  isSession: (request: Request) => boolean,
): AnswerRequest {
  const echoWhole = createEchoAfterBody(echo)

  function answer(request: Request, response: Response, connection: HttpConnection) {
    // An earlier answer has told the client that no further request is answered.
    if (!connection.session && !connection.socket.writable) return void request.resume()
    connection.begin(request, response)
    setSafeHeaders(response)
    const fault = faultIn(request, connection.session !== undefined)
    if (fault !== undefined) countFault(response, connection, counters)
    const directives = fault ?? allowed(request, web)
    if (!isRefusal(directives)) return later(request, response, connection, directives)
    request.resume()
    if (directives[0] === 405) response.setHeader('Allow', methods)
    decline(response, ...directives)
  }

  function later(
    request: Request,
    response: Response,
    connection: HttpConnection,
    directives: Directives,
  ) {
    if (directives.delayMs === 0) return now(request, response, connection, directives)
    if (connection.waiting >= delayedMax) {
      request.resume()
      return decline(response, 429, `At most ${delayedMax} answers of a connection are delayed.`)
    }
    const gone = () => {
      clearTimeout(timer)
      forget()
    }
    const timer = setTimeout(() => {
      response.off('close', gone)
      forget()
      now(request, response, connection, directives)
    }, directives.delayMs)
    const forget = connection.whenGone(gone)
    response.once('close', gone)
  }

  function now(
    request: Request,
    response: Response,
    connection: HttpConnection,
    directives: Directives,
  ) {
    const { method = '' } = request
    const { status, afterBody } = directives
    response.statusCode = status
    if (companions[status]) response.setHeader(...companions[status])
    const echoes = afterBody ? echoWhole : echo
    if ((echoed.has(method) && !empty.has(status)) || isSession(request))
      return echoes(request, response, connection)
    request.resume()
    if (method === 'OPTIONS') {
      if (status === 200) response.statusCode = 204
      response.setHeader('Allow', methods)
    } else if (!empty.has(status)) {
      return sendDescription(request, response, connection)
    }
    // Node itself sets Content-Length only for GET, and never over HTTP/2.
    if (response.statusCode === 205) response.setHeader('Content-Length', 0)
    response.end()
  }
  return answer
}

function sendDescription(request: Request, response: Response, connection: HttpConnection) {
  const description = describeRequest(request, connection)
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('Content-Length', description.length)
  if (request.method === 'HEAD') response.end()
  else response.end(description)
}

/** Whether a page of this origin may ask. Programs other than browsers send no origin. */
const isWelcome = (origin: string | undefined, { origins }: ServeTask['web']): boolean =>
  !origins || origin === undefined || origins.includes(origin)

/** The head of the answer: as long as the request, and of its type. */
export function announce(request: Request, response: Response): void {
  const { 'content-type': type, 'content-length': length } = request.headers
  if (type !== undefined) response.setHeader('Content-Type', type)
  if (length !== undefined) response.setHeader('Content-Length', length)
  // The head is sent after the bytes at hand were parsed: if they are malformed, the answer is
  // still 400. It is sent then, since a client may wait for the head before it sends more.
  if (announced.push(response) === 1) setImmediate(flushAnnounced)
}

/** Answers whose head may still be unsent, of all connections: one timer is enough. */
const announced: Response[] = []

function flushAnnounced(): void {
  for (const response of announced.splice(0))
    if (!response.headersSent && !response.destroyed) response.flushHeaders()
}

/**
 * Whether the piece that was just read is the last one, and the head has the length of the body.
 */
const isLastPiece = ({ complete, readableLength, headers }: Request): boolean =>
  complete === true && readableLength === 0 && headers['content-length'] !== undefined

/**
 * A request holds `unsentMaxBytes` and one chunk in this process, and what the parser has read
 * ahead.
 */
export function createEchoBody({ counters }: Meter, holdBack: HoldBack): EchoBody {
  return (request, response) => {
    announce(request, response)
    let isOver = false
    let isHeld = false
    const end = (last?: Buffer) => {
      isOver = true
      counters[counter.chunks]!++
      echoTrailers(request, response)
      if (!last) response.end()
      else if (last.length > asTextMaxBytes) response.end(last)
      else response.end(last.toString('latin1'), 'latin1')
    }
    request.on('data', (chunk: Buffer) => {
      counters[counter.bytesIn]! += chunk.length
      countGarbage(chunk.length)
      counters[counter.bytesOut]! += chunk.length
      // One call to write and end costs less than two: most bodies are one piece.
      if (isLastPiece(request)) return end(chunk)
      response.write(chunk)
      if (response.writableLength <= unsentMaxBytes) return
      holdBack(request)
      if (!isHeld) response.on('drain', () => request.resume())
      isHeld = true
    })
    request.on('end', () => {
      if (!isOver) end()
    })
  }
}
