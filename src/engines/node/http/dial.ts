/** Opens HTTP over a connection: 1.1, or 2 where that was agreed on or asked for. */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { HostAddress } from '../../../address.ts'
import { transports } from '../../../transport.ts'
import type { Link, Target } from '../dial.ts'
import { upon } from '../upon.ts'
import type { Caller } from './caller.ts'
import { Http1Messages, Http1Stream, type Place } from './h1-caller.ts'

/** @param dialLower dials what HTTP travels by; again where a server hung up between requests */
export async function openHttp(target: Target, dialLower: () => Promise<Link>): Promise<Link> {
  // Loaded before: what a server says at once, such as an alert, must find somebody who listens.
  if (target.calling.tls?.alpn?.includes('h2')) await import('./h2-caller.ts')
  const lower = await dialLower()
  const address = target.address as HostAddress
  const place: Place = { authority: authorityOf(address), resource: address.resource ?? '/' }
  const isHttp2 = speaksHttp2(lower.stream, target)
  const open = () =>
    isHttp2
      ? openHttp2(lower.stream, place, target)
      : openHttp1(lower.stream, place, target, dialLower)
  return {
    stream: await upon(lower.stream, open),
    get details() {
      return [isHttp2 ? 'HTTP/2' : 'HTTP/1.1', ...lower.details]
    },
  }
}

function openHttp1(
  socket: Duplex,
  place: Place,
  { calling }: Target,
  dialLower: () => Promise<Link>,
): Caller {
  const { http = {} } = calling
  if (http.oneRequest) return new Http1Stream(socket, place, http)
  return new Http1Messages(socket, place, http, async () => (await dialLower()).stream)
}

async function openHttp2(socket: Duplex, place: Place, { calling }: Target): Promise<Caller> {
  const { Http2Messages, Http2Stream } = await import('./h2-caller.ts')
  const { http = {} } = calling
  return http.oneRequest
    ? new Http2Stream(socket, place, http)
    : new Http2Messages(socket, place, http)
}

/** In the clear nobody agrees on anything: who asks for h2 knows (RFC 9113 section 3.3). */
function speaksHttp2(stream: Duplex, { calling }: Target): boolean {
  const { alpnProtocol } = stream as Partial<TLSSocket>
  return alpnProtocol === undefined ? calling.tls?.alpn?.[0] === 'h2' : alpnProtocol === 'h2'
}

/** As in the URL, without the port where it is that of the scheme. */
function authorityOf({ transport, host, port }: HostAddress): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === transports[transport].defaultPort ? name : `${name}:${port}`
}
