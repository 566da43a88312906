/** Addresses with or without a port, as proxies and systems write them: which are the same? */
import { isIP } from 'node:net'
import { ipBytes, ipText } from './ip-bytes.ts'

/**
 * `[::1]:7000`, `::1`, `[::1]`, `192.0.2.1:7000`, `192.0.2.1`; of a text that is no address, all of
 * it is the host. An address is in its usual form, without a zone, and IPv4 within IPv6 as IPv4.
 */
function partsOf(text: string): { host: string; port: string | undefined } {
  const [, bracketed, bare, port] =
    /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? ([] as undefined[])
  const host = (bracketed ?? bare ?? text).replace(/%.*$/, '')
  if (isIP(host) === 0) return { host: host.toLowerCase(), port }
  return { host: ipText(Uint8Array.from(ipBytes(host))), port }
}

/** Whether both have the same host, whatever their ports are. */
export const isSameHost = (one: string, other: string): boolean =>
  partsOf(one).host === partsOf(other).host

/** Whether host and port are the same. */
export const isSamePlace = (one: string, other: string): boolean =>
  isSameHost(one, other) && partsOf(one).port === partsOf(other).port
