/**
 * The ways in which an echo can travel, and the properties of each. Plain data: threads copy it.
 */

/** What a reader gets at once. */
export type Carries =
  /** A stream without bounds. */
  | 'bytes'
  /** Whole messages, in order. */
  | 'messages'
  /** Whole messages that may be lost, doubled or overtaken. */
  | 'datagrams'

interface Transport {
  /** The socket of the system below it. */
  socket: 'tcp' | 'unix' | 'udp'
  /** What is spoken on it. */
  protocol: 'plain' | 'ws' | 'http'
  carries: Carries
  /** What faults of a server act on: with HTTP not on messages, since bodies stream through. */
  faults: Carries
  /** TLS below it. */
  secure: boolean
  /** The port of a URL without one; 0 where it has to be said. */
  defaultPort: number
  /** Whether a URL has a path (RFC 3986), which is sent along. */
  hasPath: boolean
}

export const transports = {
  tcp: {
    socket: 'tcp',
    protocol: 'plain',
    carries: 'bytes',
    faults: 'bytes',
    secure: false,
    defaultPort: 0,
    hasPath: false,
  },
  unix: {
    socket: 'unix',
    protocol: 'plain',
    carries: 'bytes',
    faults: 'bytes',
    secure: false,
    defaultPort: 0,
    hasPath: false,
  },
  tls: {
    socket: 'tcp',
    protocol: 'plain',
    carries: 'bytes',
    faults: 'bytes',
    secure: true,
    defaultPort: 0,
    hasPath: false,
  },
  udp: {
    socket: 'udp',
    protocol: 'plain',
    carries: 'datagrams',
    faults: 'datagrams',
    secure: false,
    defaultPort: 0,
    hasPath: false,
  },
  ws: {
    socket: 'tcp',
    protocol: 'ws',
    carries: 'messages',
    faults: 'messages',
    secure: false,
    defaultPort: 80,
    hasPath: true,
  },
  wss: {
    socket: 'tcp',
    protocol: 'ws',
    carries: 'messages',
    faults: 'messages',
    secure: true,
    defaultPort: 443,
    hasPath: true,
  },
  http: {
    socket: 'tcp',
    protocol: 'http',
    carries: 'messages',
    faults: 'bytes',
    secure: false,
    defaultPort: 80,
    hasPath: true,
  },
  https: {
    socket: 'tcp',
    protocol: 'http',
    carries: 'messages',
    faults: 'bytes',
    secure: true,
    defaultPort: 443,
    hasPath: true,
  },
} as const satisfies Record<string, Transport>

export type TransportName = keyof typeof transports
export const transportNames = Object.keys(transports) as TransportName[]

/** Whether what is sent there may be lost: there is no connection, and each write is a datagram. */
export const isDatagrams = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].carries === 'datagrams'

/** An echo begins before its request ends, but some proxies read no answer before that. */
export const proxyHint =
  'Behind nginx a large body may hang; `proxy_request_buffering off` there lets it through.'
/** A body smaller than this fits into the buffers on the way, so it never hangs. */
export const largeBytes = 64 * 1024
/** The most that `connect` reads from stdin before some of it comes back: it bounds the memory. */
export const underWayMaxBytes = 4 * 2 ** 20

export const isHttp = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].protocol === 'http'

/** Whether a message of text is told from a binary one. */
export const hasText = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].protocol === 'ws'
