/** Peers that do something wrong over HTTP, by what they do, and what has to be found of each. */
import { constants } from 'node:http2'
import { echoBody, overHttp, overHttp2, type Case } from './check-peers.ts'

/** Without GOAWAY or RST_STREAM, as a program that crashes. */
function cutAtFourth(how: 'destroy' | 'resetAndDestroy'): Parameters<typeof overHttp2>[1] {
  let requests = 0
  return (request, response, sockets) => {
    if (++requests % 4 > 0) request.pipe(response)
    else for (const socket of sockets) socket[how]()
  }
}

export const httpCases: Record<string, Case> = {
  'echoes a body when it is whole': [
    'http',
    'buffered',
    () =>
      overHttp('http', (request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => response.end(Buffer.concat(chunks)))
      }),
  ],
  'takes no body of 100 kB': [
    'http',
    'body-limit',
    () =>
      overHttp('http', (request, response) => {
        const isLong = Number(request.headers['content-length'] ?? 0) > 1e5
        if (isLong) response.writeHead(413).end()
        else echoBody(request, response)
      }),
  ],
  'does not end the answer to a body of 100 kB': [
    'http',
    'endless',
    () =>
      overHttp('http', (request, response) => {
        const isLong = Number(request.headers['content-length'] ?? 0) > 1e5
        request.pipe(response, { end: !isLong })
      }),
  ],
  'takes no header of 3 kB': [
    'http',
    'header-limit',
    () => overHttp('http', echoBody, { maxHeaderSize: 3_000 }),
  ],
  'takes 3 requests': [
    'http',
    'no-keep-alive',
    () => overHttp('http', echoBody, {}, { maxRequestsPerSocket: 3 }),
  ],
  'keeps connections for 200 ms': [
    'idle',
    'short-keep-alive',
    () =>
      overHttp(
        'idle',
        (request, response) => {
          echoBody(request, response)
          response.once('finish', () => setTimeout(() => request.socket.end(), 200))
        },
        {},
        {},
        { idleMs: 900 },
      ),
  ],
  'resets streams of HTTP/2': [
    'http',
    'h2-resets',
    () => {
      let requests = 0
      return overHttp2('http', (request, response) => {
        if (++requests % 4 === 0) response.stream.close(constants.NGHTTP2_REFUSED_STREAM)
        else request.pipe(response)
      })
    },
  ],
  'ends a connection of HTTP/2 after 5 requests': [
    'http',
    'h2-ends',
    () => {
      const counts = new WeakMap<object, number>()
      return overHttp2('http', (request, response) => {
        const { session } = response.stream
        const count = (counts.get(session!) ?? 0) + 1
        counts.set(session!, count)
        if (count === 5) response.once('finish', () => session!.close())
        request.pipe(response)
      })
    },
  ],
  'ends a connection in the fourth request of HTTP/2': [
    'http',
    'h2-cut',
    () => overHttp2('http', cutAtFourth('destroy')),
  ],
  'resets a connection in the fourth request of HTTP/2': [
    'http',
    'h2-cut',
    () => overHttp2('http', cutAtFourth('resetAndDestroy')),
  ],
  'does not answer over HTTP/2 any more after 3 requests': [
    'http',
    'no-http2',
    () => {
      let requests = 0
      return overHttp2('http', (request, response) => {
        if (++requests <= 3) request.pipe(response)
      })
    },
  ],
  'takes no chunks': [
    'http',
    'no-chunked',
    () =>
      overHttp('http', (request, response) => {
        if (request.headers['transfer-encoding']) response.writeHead(411).end()
        else echoBody(request, response)
      }),
  ],
}
