/** The target and the headers of every request of a connection. */
import { authorityOf, type HostAddress } from '../../../vocabulary/address.ts'
import type { Calling } from '../../../options/calling.ts'
import { sessionHeader } from './session-stream.ts'
import { headersOf, withUsual, type Header } from '../../../wire/http/headers.ts'

export interface RequestTarget {
  method: 'POST' | 'GET'
  /** As the Host header has it (RFC 9110 section 7.2). */
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
