/**
 * Sessions in band over HTTP: the body of a POST goes up, while that of its answer comes down. A
 * GET has its hello in a header, and its answer goes down.
 */
import { counter, type Meter } from '../../../metrics/meter.ts'
import { frameKinds, writeFrame } from '../../../wire/direction/frames.ts'
import { readHello, type Hello } from '../../../wire/direction/hello.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { beginSession } from '../direction/serve.ts'
import type { EchoBody, HttpConnection } from './connection.ts'
import { decline, type Request, type Response } from './exchange.ts'
import { ExchangeStream, sessionHeader } from './session-stream.ts'

/** Whether a request without a body asks for a session. A request with a body asks in its body. */
export const asksForSession = ({ method, headers }: Request): boolean =>
  method === 'GET' && headers[sessionHeader] !== undefined

/** @param bypassed whether requests are only echoed for now, since faults are in force */
export function withRequestSessions(
  echo: EchoBody,
  meter: Meter,
  bypassed: () => boolean,
): EchoBody {
  return (request, response, connection) => {
    if (request.headers[sessionHeader] === undefined || bypassed())
      return echo(request, response, connection)
    const begin = (hello: Hello, stream: ExchangeStream, rest: Buffer) =>
      start(hello, stream, rest, connection, meter)
    if (request.method === 'GET') return answerGet(request, response, meter, begin)
    let bytes: Buffer = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const found = readHello(bytes)
      if (found.kind === 'perhaps' || found.kind === 'incomplete') return
      request.off('data', onData).off('end', onEnd)
      if (found.kind !== 'hello') {
        request.resume()
        return decline(response, 400, 'That is not the beginning of a session.')
      }
      begin(found.hello, new ExchangeStream(request, response), bytes.subarray(found.bytes))
    }
    const onEnd = () => decline(response, 400, 'The session ended before its hello.')
    request.on('data', onData).on('end', onEnd)
  }
}

function start(
  hello: Hello,
  stream: ExchangeStream,
  rest: Buffer,
  connection: HttpConnection,
  meter: Meter,
) {
  const { raw, accepted } = connection
  const within = { socket: stream, raw, forwarded: accepted?.forwarded, meter }
  const forget = connection.whenLeaving(beginSession(hello, within, rest))
  stream.once('close', forget)
}

/**
 * A GET has no body. So the server acts as if the client had sent the frames of begin and end, at
 * the times that follow from the hello.
 */
function answerGet(
  request: Request,
  response: Response,
  { counters }: Meter,
  begin: (hello: Hello, stream: ExchangeStream, rest: Buffer) => void,
) {
  const bytes = Buffer.from(String(request.headers[sessionHeader]), 'base64url')
  const found = readHello(bytes)
  if (found.kind !== 'hello' || found.hello.mode !== 'down') {
    counters[counter.protocol]!++
    const why = `A GET has the beginning of a session downwards in ${sessionHeader}.`
    request.resume()
    return decline(response, 400, why)
  }
  const { hello } = found
  const stream = new ExchangeStream(request, response, false)
  begin(hello, stream, writeFrame(frameKinds.start, {}))
  if (hello.lastsMs === undefined) return
  const end = () => stream.push(writeFrame(frameKinds.end, { sentBytes: 0 }))
  const timer = setTimeout(end, Math.min(hello.lastsMs, timerMaxMs))
  stream.once('close', () => clearTimeout(timer))
}
