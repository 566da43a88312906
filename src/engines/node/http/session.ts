/** Sessions in band over HTTP: the body of a POST goes up, while that of its answer comes down. */
import type { Meter } from '../../../metrics/meter.ts'
import { readHello } from '../../../wire/direction/hello.ts'
import { beginSession } from '../direction/serve.ts'
import type { EchoBody } from './connection.ts'
import { decline } from './exchange.ts'
import { ExchangeStream, sessionHeader } from './session-stream.ts'

/** @param bypassed whether requests are only echoed for now, since faults are in force */
export function withRequestSessions(
  echo: EchoBody,
  meter: Meter,
  bypassed: () => boolean,
): EchoBody {
  return (request, response, connection) => {
    if (request.headers[sessionHeader] === undefined || bypassed())
      return echo(request, response, connection)
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
      const stream = new ExchangeStream(request, response)
      const { raw, accepted } = connection
      const finish = beginSession(
        found.hello,
        { socket: stream, raw, forwarded: accepted?.forwarded, meter },
        bytes.subarray(found.bytes),
      )
      const forget = connection.whenLeaving(finish)
      stream.once('close', forget)
    }
    const onEnd = () => decline(response, 400, 'The session ended before its hello.')
    request.on('data', onData).on('end', onEnd)
  }
}
