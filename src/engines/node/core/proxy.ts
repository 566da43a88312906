/** The PROXY protocol: reads it as a handshake of the server, and writes it for a client. */
import { BlockList, isIPv6, type Socket } from 'node:net'
import { withoutZone } from '../../../vocabulary/address.ts'
import { usageError } from '../../../vocabulary/errors.ts'
import type { ProxyRules } from '../../../options/serve.ts'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import { readProxyHeader, writeProxyHeader } from '../../../wire/proxy-header.ts'
import type { Handshake } from './protocol.ts'
import { peek } from './peek.ts'

/**
 * Reads the header, which is required or optional. A header from a peer that is not trusted does
 * not count: if a header is required, the connection is refused; otherwise its bytes are data.
 */
export function readsProxy({ mode, from }: ProxyRules): Handshake {
  const trusted = networks(from)
  return async (socket, accepted) => {
    const trusts = isTrusted(trusted, socket)
    if (!trusts && mode === 'accept') return socket
    if (!trusts)
      throw new ProtocolError('a PROXY header is required, and this source is not trusted')
    const header = await peek(socket, (bytes, ended) => {
      const found = readProxyHeader(bytes)
      return found.kind === 'incomplete' && !ended ? undefined : found
    })
    if (header.kind === 'malformed') throw new ProtocolError(`PROXY header: ${header.reason}`)
    if (header.kind === 'present') {
      accepted.forwarded = header.forwarded
      // Reads exactly the header: a longer read would lose the end of the stream (see peek).
      socket.read(header.lengthBytes)
    } else if (mode === 'require') throw new ProtocolError('there is no PROXY header')
    return socket
  }
}

/** @throws UserError if an entry is neither an address nor a network */
export function networks(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address, prefix] = text.split('/') as [string, string?]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    try {
      if (prefix === undefined) list.addAddress(address, family)
      else if (/^\d+$/.test(prefix)) list.addSubnet(address, Number(prefix), family)
      else throw new RangeError('prefix')
    } catch {
      const example = 'Write for example 10.0.0.0/8, ::1 or fd00::/8.'
      throw usageError(`'${text}' is neither an address nor a network.`, example)
    }
  }
  return list
}

/**
 * Whether a peer is trusted. All peers of a unix socket are: the permissions of its folder protect
 * it.
 */
function isTrusted(trusted: BlockList, { remoteAddress }: Socket): boolean {
  if (remoteAddress === undefined) return true
  return trusted.check(plain(remoteAddress), isIPv6(plain(remoteAddress)) ? 'ipv6' : 'ipv4')
}

/** An IPv4 address that comes over IPv6 still counts as IPv4 (RFC 4291 section 2.5.5.2). */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** The header that a client sends before anything else, as a proxy would. */
export function sendProxyHeader(socket: Socket, version: 1 | 2): void {
  const { localAddress, localPort, remoteAddress, remotePort } = socket
  const isIp = localAddress !== undefined && remoteAddress !== undefined
  const forwarded = isIp && {
    source: withoutZone(plain(localAddress)),
    sourcePort: localPort!,
    destination: withoutZone(plain(remoteAddress)),
    destinationPort: remotePort!,
  }
  socket.write(writeProxyHeader(version, forwarded || undefined))
}
