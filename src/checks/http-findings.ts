/** What the question of HTTP may find, what that does to programs, and what to look at. */
import { earlyAnswer } from './early-answer.ts'
import type { FindingKind } from './question.ts'

export const httpFindings = {
  'no-http': {
    outcome: 'fails',
    effect: 'No client gets an answer.',
    advice:
      'Check whether the server speaks HTTP/1.1 on this port, or TLS (https), or something else.',
  },
  'no-echo': {
    outcome: 'fails',
    effect: 'This is not an echo endpoint, or something on the way answers in its place.',
    advice:
      'Check the path of the URL, and the routes of the proxy. Any server that echoes the body ' +
      'of a POST will do.',
  },
  changed: {
    outcome: 'fails',
    effect: 'Uploads and downloads are spoiled.',
    advice:
      'Something on the way re-encodes bodies: compression, a content filter, a proxy that reads ' +
      'text.',
  },
  'body-limit': {
    outcome: 'fails',
    effect: 'Larger uploads fail.',
    advice:
      'A proxy or the server has a limit for bodies (nginx `client_max_body_size`, 1 MiB by ' +
      'default; API gateways 10 MB). Raise it.',
  },
  endless: {
    outcome: 'fails',
    effect: 'Clients have all bytes of the answer, and wait for its end until a timeout.',
    advice:
      'The server forgets to end the answer (the last chunk is missing, or Content-Length is too ' +
      'large), or a proxy on the way holds the end back.',
  },
  'early-answer': earlyAnswer,
  'no-chunked': {
    outcome: 'fails',
    effect: 'Uploads of unknown length (streams, `curl -T -`) fail.',
    advice: 'A proxy or the server does not take chunked requests (WSGI servers, old CGI).',
  },
  buffered: {
    outcome: 'differs',
    effect:
      'What should stream (server-sent events, gRPC-like calls, progress) comes only when the ' +
      'request has ended; large echoes may hang.',
    advice:
      'A proxy holds the request or the answer until it is whole, or the server reads the whole ' +
      'body first. The cure for nginx: `proxy_request_buffering off; proxy_http_version 1.1` for ' +
      'the request; `proxy_buffering off` or `X-Accel-Buffering: no` for the answer.',
  },
  'header-limit': {
    outcome: 'differs',
    effect: 'Requests with large cookies or tokens fail with 400, 414, 431 or 494.',
    advice:
      'A proxy or the server has a small limit for headers (nginx `large_client_header_buffers`, ' +
      'HAProxy `tune.bufsize`, Node `--max-http-header-size`). 8 KiB is usual.',
  },
  'no-keep-alive': {
    outcome: 'differs',
    effect:
      'A new connection is needed after every few requests: more round trips, more TIME_WAIT.',
    advice:
      'The server or a proxy closes connections early (nginx `keepalive_requests`, ' +
      '`Connection: close`), or a proxy speaks HTTP/1.0 to the server. The cure for HTTP/1.0 ' +
      'with nginx: `proxy_http_version 1.1`.',
  },
  headers: {
    outcome: 'differs',
    effect: 'The server does not see the headers that the client sent.',
    advice:
      'A proxy is on the way. Check that you want what it adds (X-Forwarded-For, Via), and that ' +
      'you do not need what it removes or changes.',
  },
  'no-http2': {
    outcome: 'fails',
    effect: 'Browsers and gRPC choose HTTP/2 where it is offered, and get nothing.',
    advice:
      'A proxy offers h2 by ALPN, but the proxy, or the server behind it, does not speak it: ' +
      'take h2 out of the list of the proxy, or see its log.',
  },
  'h2-resets': {
    outcome: 'fails',
    effect:
      'Requests fail now and then, although each of them is good: calls of gRPC end with ' +
      'UNAVAILABLE or INTERNAL, and browsers report ERR_HTTP2_PROTOCOL_ERROR.',
    advice:
      'A proxy or the server resets streams: a limit of streams at once (REFUSED_STREAM), a ' +
      'timeout of the server behind it (INTERNAL_ERROR, CANCEL), a defence against floods ' +
      '(ENHANCE_YOUR_CALM). The code says which; see the log of the proxy at this instant.',
  },
  'h2-cut': {
    outcome: 'fails',
    effect:
      'The request is lost, and so are all others that are under way on the connection: clients ' +
      'cannot know whether to send them again.',
    advice:
      'The server or a proxy ended without GOAWAY: see its log for a crash, a restart or a ' +
      'timeout at this instant. If both ends know of nothing, a firewall on the way cut it.',
  },
  'h2-ends': {
    outcome: 'differs',
    effect:
      'Clients have to connect again after some requests. With GOAWAY no request is lost; ' +
      'without it, a request that crosses the end fails.',
    advice:
      'A limit of requests for a connection (nginx `keepalive_requests`, Envoy ' +
      '`max_requests_per_connection`), or its age (`max_connection_duration`). Raise it if new ' +
      'connections are expensive.',
  },
  'no-trailers': {
    outcome: 'differs',
    effect: 'gRPC has its status in a trailer, and fails; checksums after a body are lost.',
    advice:
      'A proxy on the way drops trailers (nginx does; `grpc_pass` passes those of gRPC), or the ' +
      'header TE that asks for them. Let it pass them on, or speak HTTP/2 through it.',
  },
  'no-continue': {
    outcome: 'differs',
    effect: 'Clients that send `Expect: 100-continue` (curl with large bodies) lose a second.',
    advice: 'The server or a proxy does not answer with 100 Continue, or refuses (417).',
  },
} as const satisfies Record<string, FindingKind>

export type HttpFinding = keyof typeof httpFindings
