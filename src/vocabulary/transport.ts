/**
 * The transports of an echo, and the properties of each. Plain data: threads copy it.
 */

/** In what units a transport delivers data. */
export type Carries =
  /** A stream without bounds. */
  | 'bytes'
  /** Whole messages, in order. */
  | 'messages'
  /** Whole messages that may be lost, doubled or overtaken. */
  | 'datagrams'

/** The socket of the system below a transport, in the terms of socket(2). */
export interface SystemSocket {
  /** Its address: a host and a port, or a path. */
  domain: 'inet' | 'unix'
  type: 'stream' | 'dgram'
  /** The name in the system: ss(8). */
  name: string
  /**
   * The files of /proc/net that list such sockets: proc_pid_net(5). Without one it is not known how
   * many clients wait in a backlog, or which process has a socket.
   */
  listedIn: readonly string[]
  /** The states in these files of a socket that is not connected. */
  unconnected: readonly string[]
}

const tcpSocket = {
  domain: 'inet',
  type: 'stream',
  name: 'tcp',
  listedIn: ['tcp', 'tcp6'],
  unconnected: ['07', '0A'],
} as const satisfies SystemSocket

const unixSocket = {
  domain: 'unix',
  type: 'stream',
  name: 'unix',
  listedIn: ['unix'],
  unconnected: ['01'],
} as const satisfies SystemSocket

const udpSocket = {
  domain: 'inet',
  type: 'dgram',
  name: 'udp',
  listedIn: ['udp', 'udp6'],
  unconnected: ['07'],
} as const satisfies SystemSocket

interface Transport {
  /** What the transport carries, for `--help`. */
  help: string
  socket: SystemSocket
  /** The protocol on the socket, or on TLS above it. */
  protocol: 'plain' | 'ws' | 'http'
  carries: Carries
  /**
   * The units on which faults of a server act. With HTTP these are bytes, since bodies stream
   * through.
   */
  faults: Carries
  /** Whether there is TLS below the protocol. */
  secure: boolean
  /** The port of a URL without one; 0 if a URL has to name its port. */
  defaultPort: number
  /** Whether a URL has a path (RFC 3986), which is sent along. */
  hasPath: boolean
}

export const transports = {
  tcp: {
    help: 'bytes; host:port, :port and port mean the same',
    socket: tcpSocket,
    protocol: 'plain',
    carries: 'bytes',
    faults: 'bytes',
    secure: false,
    defaultPort: 0,
    hasPath: false,
  },
  unix: {
    help: 'bytes, on this machine',
    socket: unixSocket,
    protocol: 'plain',
    carries: 'bytes',
    faults: 'bytes',
    secure: false,
    defaultPort: 0,
    hasPath: false,
  },
  tls: {
    help: 'bytes, over TLS',
    socket: tcpSocket,
    protocol: 'plain',
    carries: 'bytes',
    faults: 'bytes',
    secure: true,
    defaultPort: 0,
    hasPath: false,
  },
  udp: {
    help: 'datagrams',
    socket: udpSocket,
    protocol: 'plain',
    carries: 'datagrams',
    faults: 'datagrams',
    secure: false,
    defaultPort: 0,
    hasPath: false,
  },
  ws: {
    help: 'messages, over WebSocket',
    socket: tcpSocket,
    protocol: 'ws',
    carries: 'messages',
    faults: 'messages',
    secure: false,
    defaultPort: 80,
    hasPath: true,
  },
  wss: {
    help: 'the same over TLS',
    socket: tcpSocket,
    protocol: 'ws',
    carries: 'messages',
    faults: 'messages',
    secure: true,
    defaultPort: 443,
    hasPath: true,
  },
  http: {
    help: 'bodies of requests, over HTTP/1.1 and HTTP/2',
    socket: tcpSocket,
    protocol: 'http',
    carries: 'messages',
    faults: 'bytes',
    secure: false,
    defaultPort: 80,
    hasPath: true,
  },
  https: {
    help: 'the same over TLS',
    socket: tcpSocket,
    protocol: 'http',
    carries: 'messages',
    faults: 'bytes',
    secure: true,
    defaultPort: 443,
    hasPath: true,
  },
} as const satisfies Record<string, Transport>

export type Protocol = Transport['protocol']
export type TransportName = keyof typeof transports
export const transportNames = Object.keys(transports) as TransportName[]
/** Each kind of socket, once. */
export const systemSockets = [...new Set(transportNames.map(name => transports[name].socket))]
export type SocketName = (typeof transports)[TransportName]['socket']['name']

/**
 * Whether the transport carries datagrams: there is no connection, and each write is a datagram
 * that may be lost.
 */
export const isDatagrams = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].carries === 'datagrams'

/** Whether the system knows the state of TCP (TCP_INFO) for each connection. */
export const isOverTcp = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].socket.name === 'tcp'

/** Whether the transport is only the socket, without TLS or another protocol. */
const isBare = (transport: TransportName): boolean =>
  transports[transport].protocol === 'plain' && !transports[transport].secure

/** The transport that carries plain bytes over sockets of the same kind. */
export const bareOf = (transport: TransportName): TransportName =>
  transportNames.find(
    name => isBare(name) && transports[name].socket === transports[transport].socket,
  )!

/** An echo begins before its request ends; some proxies stop sending a request then. */
export const proxyHint =
  'Behind nginx a large body may hang; `proxy_request_buffering off` there makes that rarer.'
/** A body smaller than this fits into the buffers on the way, so it never hangs. */
export const largeBytes = 64 * 1024
/** The most that `connect` reads from stdin before some of it comes back: it bounds the memory. */
export const underWayMaxBytes = 4 * 2 ** 20

export const isHttp = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].protocol === 'http'

/** Whether messages of text and binary messages are distinguished. */
export const hasText = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].protocol === 'ws'
