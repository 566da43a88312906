/** Opens HTTP over a connection: 1.1, or 2 where that was agreed on or asked for. */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { HostAddress } from '../../../vocabulary/address.ts'
import type { HttpCalling } from '../../../options/calling.ts'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import type { Link, Target } from '../core/link.ts'
import { upon } from '../core/upon.ts'
import type { Caller, Redial } from './caller.ts'
import { Http1Messages } from './h1-caller.ts'
import { Http1Stream } from './h1-stream.ts'
import { requestTargetOf, type RequestTarget } from './target.ts'

/** @param dialLower dials the transport below; again after a server closed between requests */
export async function openHttp(target: Target, dialLower: () => Promise<Link>): Promise<Link> {
  // Loaded before dialling: a server may send something at once, such as an alert.
  if (target.calling.tls?.alpn?.includes('h2')) await import('./h2-caller.ts')
  const lower = await dialLower()
  const address = target.address as HostAddress
  const requestTarget = requestTargetOf(address, target.calling)
  const isHttp2 = speaksHttp2(lower.stream, target)
  const redial = async () => {
    const { stream } = await dialLower()
    if (speaksHttp2(stream, target) === isHttp2) return stream
    stream.destroy()
    throw new ProtocolError('the server wants another version of HTTP than before')
  }
  const { http = {} } = target.calling
  const open = () => (isHttp2 ? openHttp2 : openHttp1)(lower.stream, requestTarget, http, redial)
  return {
    stream: await upon(lower.stream, open),
    below: lower.stream,
    get details() {
      return [isHttp2 ? 'HTTP/2' : 'HTTP/1.1', ...lower.details]
    },
  }
}

const openHttp1 = (
  socket: Duplex,
  requestTarget: RequestTarget,
  http: HttpCalling,
  redial: Redial,
): Caller =>
  http.oneRequest
    ? new Http1Stream(socket, requestTarget, http)
    : new Http1Messages(socket, requestTarget, http, redial)

async function openHttp2(
  socket: Duplex,
  requestTarget: RequestTarget,
  http: HttpCalling,
  redial: Redial,
): Promise<Caller> {
  const { Http2Messages, Http2Stream } = await import('./h2-caller.ts')
  return http.oneRequest
    ? new Http2Stream(socket, requestTarget, http)
    : new Http2Messages(socket, requestTarget, http, redial)
}

/** Without TLS nothing is negotiated: h2 is prior knowledge then (RFC 9113 section 3.3). */
function speaksHttp2(stream: Duplex, { calling }: Target): boolean {
  const { alpnProtocol } = stream as Partial<TLSSocket>
  return alpnProtocol === undefined ? calling.tls?.alpn?.[0] === 'h2' : alpnProtocol === 'h2'
}
