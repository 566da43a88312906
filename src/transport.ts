/** The ways in which an echo can travel, and what each can be told. Plain data: threads copy it. */

/** What a reader gets at a time. */
export type Carries =
  /** A stream without bounds. */
  | 'bytes'
  /** Whole messages, in order. */
  | 'messages'
  /** Whole messages that may be lost, doubled or overtaken. */
  | 'datagrams'

interface Transport {
  carries: Carries
  /** As the faults of a server meet it: bodies of HTTP stream through, and are not kept whole. */
  faults: Carries
  /** TLS below it. */
  secure: boolean
  /** The port of a URL without one; 0 where it has to be said. */
  defaultPort: number
  /** Whether a URL has a path (RFC 3986), which is sent along. */
  hasPath: boolean
}

export const transports = {
  tcp: { carries: 'bytes', faults: 'bytes', secure: false, defaultPort: 0, hasPath: false },
  unix: { carries: 'bytes', faults: 'bytes', secure: false, defaultPort: 0, hasPath: false },
  tls: { carries: 'bytes', faults: 'bytes', secure: true, defaultPort: 0, hasPath: false },
  udp: { carries: 'datagrams', faults: 'datagrams', secure: false, defaultPort: 0, hasPath: false },
  ws: { carries: 'messages', faults: 'messages', secure: false, defaultPort: 80, hasPath: true },
  wss: { carries: 'messages', faults: 'messages', secure: true, defaultPort: 443, hasPath: true },
  http: { carries: 'messages', faults: 'bytes', secure: false, defaultPort: 80, hasPath: true },
  https: { carries: 'messages', faults: 'bytes', secure: true, defaultPort: 443, hasPath: true },
} as const satisfies Record<string, Transport>

export type TransportName = keyof typeof transports
export const transportNames = Object.keys(transports) as TransportName[]

/** Whether what is sent there may be lost: there is no connection, and each write is a datagram. */
export const isDatagrams = ({ transport }: { transport: TransportName }): boolean =>
  transports[transport].carries === 'datagrams'

export const isHttp = ({ transport }: { transport: TransportName }): boolean =>
  transport === 'http' || transport === 'https'

/** Whether a message of text is told from a binary one. */
export const hasText = ({ transport }: { transport: TransportName }): boolean =>
  transport === 'ws' || transport === 'wss'

/** Which certificate a server shows, and whose it wants to see. All in PEM (RFC 7468). */
export interface TlsServing {
  cert: string
  key: string
  /** Clients must show a certificate that one of these has signed. */
  clientCa?: string | undefined
}

/** How a client finds out whether it talks to the right one. */
export interface TlsCalling {
  /** Trusted beside the authorities that Node knows; PEM. */
  ca?: string | undefined
  /** SHA-256 of the server's certificate in hexadecimal: it alone is trusted, whoever signed it. */
  pin?: string | undefined
  /** Talks to whoever answers. */
  insecure?: boolean | undefined
  /** For SNI and for the check of names, where it is not that of the address (RFC 6066). */
  serverName?: string | undefined
  /** What to speak, in order of preference (ALPN, RFC 7301). */
  alpn?: string[] | undefined
  /** Shown to a server that asks for one; PEM. */
  cert?: string | undefined
  key?: string | undefined
}

/** What a client says and wants before the first message, whatever the transport needs of it. */
export interface Calling {
  tls?: TlsCalling | undefined
  /** Begins with a PROXY header of this version, as a proxy in front of a server does. */
  sendProxy?: 1 | 2 | undefined
  http?: HttpCalling | undefined
}

/** How requests over HTTP are made of what is written. */
export interface HttpCalling {
  /** All of it is the body of one request, which streams; otherwise each write is a request. */
  oneRequest?: boolean | undefined
  /** Answers of any status are passed on; otherwise one beyond 200 to 299 breaks the connection. */
  anyStatus?: boolean | undefined
  /** So long a server may be silent that owes an answer; undefined: for ever. */
  answerTimeoutMs?: number | undefined
}

/** Who may say by a PROXY header whom it forwards (haproxy's proxy-protocol.txt). */
export interface ProxyRules {
  /** `accept`: a header may come; `require`: a connection without one is closed. */
  mode: 'accept' | 'require'
  /** Addresses or networks (CIDR) whose headers are believed. */
  from: string[]
}

/** What WebSocket and HTTP servers put up with. */
export interface WebRules {
  /** A longer message is refused; bytes. Bodies of HTTP stream through and have no limit. */
  messageMaxBytes: number
  /** permessage-deflate (RFC 7692). */
  deflate: boolean
  /** Only pages from there may connect; undefined: all. */
  origins: string[] | undefined
}

/** Which datagrams are not answered, so that nobody is flooded by our hand. */
export interface DatagramRules {
  /**
   * To one address, per second; Infinity: no limit. Undefined: 10,000, and no limit to those of the
   * loopback.
   */
  ratePerSource: number | undefined
  /** Rules that are not to hold. */
  allow: DatagramRule[]
}
/**
 * Source ports from 1 to 1023; ports on which this process serves udp; broadcast; multicast; what
 * comes again and again from a port that no client is given.
 */
export const datagramRules = ['low-ports', 'own-ports', 'broadcast', 'multicast', 'loops'] as const
export type DatagramRule = (typeof datagramRules)[number]
