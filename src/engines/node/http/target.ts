/** The target and the headers of every request of a connection. */
import { authorityOf, type HostAddress } from '../../../vocabulary/address.ts'
import type { Calling } from '../../../options/calling.ts'
import { sessionHeader } from './session-stream.ts'
import { headersOf, withUsual, type Header } from '../../../wire/http/headers.ts'

export interface RequestTarget {
  method: 'POST' | 'GET'
  /** The value of the Host header (RFC 9110 section 7.2). */
  authority: string
  /** Path and query. */
  resource: string
  /** All headers except Host and those that frame the body. */
  headers: readonly Header[]
}

const usual: Header[] = [
  ['User-Agent', 'yodel'],
  ['Accept', '*/*'],
  ['Content-Type', 'application/octet-stream'],
]

/** A request without a body has no content type. */
const usualOfGet = usual.filter(([name]) => name !== 'Content-Type')

const isHost = ([name]: Header) => name.toLowerCase() === 'host'

export function requestTargetOf(address: HostAddress, calling: Calling): RequestTarget {
  const added = headersOf(calling)
  const { isSession = false, hello } = calling.http ?? {}
  return {
    method: hello === undefined ? 'POST' : 'GET',
    authority: added.find(isHost)?.[1] ?? authorityOf(address),
    resource: address.resource ?? '/',
    headers: [
      ...withUsual(
        hello === undefined ? usual : usualOfGet,
        added.filter(header => !isHost(header)),
      ),
      ...(isSession ? [[sessionHeader, hello ?? '1'] as const] : []),
    ],
  }
}

/**
 * The beginning of each request in HTTP/1.1. The caller adds the headers that frame the body.
 */
export const requestHead = ({ method, authority, resource, headers }: RequestTarget): string =>
  [
    `${method} ${resource} HTTP/1.1\r\nHost: ${authority}\r\n`,
    ...headers.map(([name, value]) => `${name}: ${value}\r\n`),
  ].join('')
