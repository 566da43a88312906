/** The client's side of HTTP/2 in Node: opens a connection, and sends a request on it. */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import type { AnswerHead } from '../../../wire/http/answer-parser.ts'
import { asObject } from '../../../wire/http/headers.ts'
import type { RequestTarget } from './target.ts'

/** The window of the connection and of each stream, in bytes (RFC 9113 section 5.2). */
const windowBytes = 2 ** 20

export function openH2(socket: Duplex, { authority }: RequestTarget): ClientHttp2Session {
  const session = connect(`http://${authority}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: windowBytes, enablePush: false },
  })
  // A session that was destroyed at once emits `connect` too.
  session.once('connect', () => session.destroyed || session.setLocalWindowSize(windowBytes))
  return session
}

export function request(
  session: ClientHttp2Session,
  { method, authority, resource, headers }: RequestTarget,
  onHead: (head: AnswerHead) => void,
  lengthBytes?: number,
): ClientHttp2Stream {
  const stream = session.request({
    ':method': method,
    ':path': resource,
    ':authority': authority,
    ...asObject(headers),
    ...(lengthBytes !== undefined && { 'content-length': lengthBytes }),
  })
  stream.on('response', (answer: IncomingHttpHeaders, _flags: number, ...[raw]: unknown[]) => {
    const list = (raw ?? []) as string[]
    const pairs = list.flatMap((name, at): [string, string][] =>
      at % 2 === 0 && !name.startsWith(':') ? [[name, list[at + 1]!]] : [],
    )
    onHead({ version: '2', status: Number(answer[':status']), reason: '', headers: pairs })
  })
  return stream
}
