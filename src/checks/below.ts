/** What is below a transport: the stream that TLS, HTTP and WebSocket are spoken on. */
import type { Calling } from '../options/calling.ts'
import { bareAt, hostInUrl, type Address, type HostAddress } from '../vocabulary/address.ts'
import { transports } from '../vocabulary/transport.ts'
import { headersOf, type Header } from '../wire/http/headers.ts'
import type { Scene } from './scene.ts'

/** The options that hold for each connection, whatever protocol it carries. */
export const plainCalling = ({ sendProxy, ...rest }: Calling): Calling => ({
  sendProxy,
  ...routeOf(rest),
})

/**
 * Only the options that decide the route. None of them adds bytes that the server would receive, as
 * `sendProxy` does.
 */
export const routeOf = ({ source, proxy, socket }: Calling): Calling => ({ source, proxy, socket })

/** How a stream for that version of HTTP is opened there, with TLS where the address has it. */
export function streamFor(
  version: 'http/1.1' | 'h2',
  { address, calling }: Pick<Scene, 'address' | 'calling'>,
): { address: Address; calling: Calling } {
  const { host, port, transport } = address as HostAddress
  if (!transports[transport].secure)
    return { address: bareAt(address), calling: plainCalling(calling) }
  const tls = { serverName: host, ...calling.tls, alpn: [version] }
  return { address: { transport: 'tls', host, port }, calling: { ...calling, tls } }
}

const isHost = ([name]: Header) => name.toLowerCase() === 'host'

/** Host, and then the headers that the user adds to each request. */
export function usualHeaders({ address, calling }: Pick<Scene, 'address' | 'calling'>): Header[] {
  const { host, port } = address as HostAddress
  const added = headersOf(calling)
  const own: Header = added.find(isHost) ?? ['Host', `${hostInUrl(host)}:${port}`]
  return [own, ...added.filter(header => !isHost(header))]
}
