/** A client's options before its first message: which server it trusts, and what it sends first. */
import { usageError } from '../vocabulary/errors.ts'
import type { TransportName } from '../vocabulary/transport.ts'
import { parseHeader, parseHeaders, showHeader } from '../wire/http/headers.ts'
import { group, option, type Kind, type OptionsOf, type Where } from './form.ts'
import { fileText, list, text, textFor, untyped, whether } from './kinds.ts'
import { proxyUrl, sources } from './route.ts'
import { socketOptions } from './socket.ts'
import { connected, networked, overTcp, secureTransports, speaking } from './where.ts'

/** The version of a PROXY header; the flag without a value means 2. */
const proxyVersion: Kind<1 | 2> = {
  placeholder: '[version]',
  parse(typed) {
    if (typed !== '' && typed !== '1' && typed !== '2')
      throw usageError(`'${typed}' is not a version of the PROXY header.`, 'There are 1 and 2.')
    return typed === '1' ? 1 : 2
  },
  format: version => [String(version)],
  mistake: version => ([1, 2].includes(version) ? undefined : 'must be 1 or 2.'),
}

/** How written bytes become requests over HTTP. */
export interface HttpCalling {
  /**
   * Everything that is written is the body of one request, which streams; otherwise each write is a
   * request.
   */
  oneRequest?: boolean | undefined
  /** Whether the request says that its body is a session in band. */
  isSession?: boolean | undefined
  /** The hello of that session, which a request without a body (GET) has in a header. */
  hello?: string | undefined
  /**
   * Whether answers of any status are passed on. Otherwise a status outside 200 to 299 breaks the
   * connection.
   */
  anyStatus?: boolean | undefined
  /** How long a server with an unanswered request may be silent; undefined: for ever. */
  answerTimeoutMs?: number | undefined
  /** Nothing more is written while this many bytes are unanswered; undefined: no limit. */
  underWayMaxBytes?: number | undefined
}

const ofTls = (names: readonly TransportName[]): Where => ({
  engines: ['node', 'uring'],
  act: 'take options of TLS',
  transports: names,
  reason: name =>
    `${name} has no TLS, so options of TLS make no sense. Connect to tls://, wss:// or https://.`,
})

/** How a client finds out whether it talks to the right server. */
export const tlsCallingOptions = {
  /** Trusted in addition to the authorities that Node knows; PEM. */
  ca: option(fileText('CA.pem'), {
    default: undefined,
    flag: 'ca',
    help: 'tls: also trust certificates that are signed by one in this file (PEM)',
    where: ofTls(secureTransports),
  }),
  /** SHA-256 of the server's certificate in hexadecimal: only this certificate is trusted. */
  pin: option(text('<sha256>'), {
    default: undefined,
    flag: 'pin',
    help: 'tls: trust only the certificate with this fingerprint',
    where: ofTls(secureTransports),
  }),
  /** Trusts any certificate. */
  insecure: option(whether(), {
    default: undefined,
    flag: 'insecure',
    help: 'tls: trust any certificate',
    where: ofTls(secureTransports),
  }),
  /**
   * The name for SNI and for the check of the certificate, if it is not that of the address (RFC
   * 6066).
   */
  serverName: option(text('<name>'), {
    default: undefined,
    flag: 'server-name',
    help: 'tls: the name to send as SNI and to look for in the certificate',
    where: ofTls(secureTransports),
  }),
  /** The protocols to offer, in order of preference (ALPN, RFC 7301). */
  alpn: option(list(text('<protocol>')), {
    default: undefined,
    flag: 'alpn',
    help: 'tls, http: protocol to offer by ALPN; repeatable',
    // With http, which has no ALPN, it names the version that both sides can speak (RFC 9113
    // section 3.3).
    where: ofTls([...new Set([...secureTransports, ...speaking('http')])]),
  }),
  /** The certificate for a server that asks for one; PEM. */
  cert: option(fileText('CERT.pem'), {
    default: undefined,
    flag: 'cert',
    help: 'tls: show this certificate (PEM)',
    where: ofTls(secureTransports),
  }),
  key: option(fileText('KEY.pem'), {
    default: undefined,
    flag: 'key',
    help: 'tls: its key (PEM)',
    where: ofTls(secureTransports),
  }),
}

export type TlsCalling = OptionsOf<typeof tlsCallingOptions>

const onRequests: Where = {
  engines: 'every',
  transports: [...speaking('http'), ...speaking('ws')],
  reason: name => `${name} has no headers. They are for http://, https://, ws:// and wss://.`,
}

/** A header for each request; a text that is not a header is refused. */
const header: Kind<string> = {
  ...textFor("<'name: value'>", parseHeader),
  parse: typed => (parseHeader(typed), typed),
  // Results must not contain secrets.
  format: value => [showHeader(value)],
}

const readable = textFor('', parseHeaders)
const headerLines: Kind<string> = {
  ...fileText('HEADERS.txt'),
  mistake: value => readable.mistake(value),
}

/** What a client sends and requires before the first message, on any transport. */
export const callingOptions = {
  tls: group(tlsCallingOptions),
  /** Begins with a PROXY header of this version, as a proxy in front of a server does. */
  sendProxy: option(proxyVersion, {
    default: undefined,
    flag: 'send-proxy',
    help: 'begin with a PROXY header of this version: 1 or 2',
    defaultText: '2',
    where: {
      engines: ['node'],
      act: 'send a PROXY header',
      transports: connected,
      reason: name => `No PROXY header is sent on ${name}: no connection begins with it.`,
    },
  }),
  /** Added to each request, also to that for a WebSocket; `Host` says another name. */
  headers: option(list(header), {
    default: undefined,
    short: 'H',
    flag: 'header',
    help: "http, ws: add this header to requests: 'Host: a.example'; repeatable",
    where: onRequests,
  }),
  /**
   * Headers from a file, one in each line: so secrets stay out of results and lists of processes.
   */
  headerFile: option(headerLines, {
    default: undefined,
    flag: 'header-file',
    help: 'http, ws: add the headers in this file, one in each line',
    where: onRequests,
  }),
  /** Addresses of this machine; connections take turns. Each has ports of its own. */
  source: option(sources, {
    default: undefined,
    flag: 'source',
    help: 'connect from these addresses of this machine in turn',
    where: {
      engines: 'every',
      transports: networked,
      reason: name => `A socket of ${name} has no source address.`,
    },
  }),
  /** `http://host:port`, or with `user:password@`. */
  proxy: option(proxyUrl, {
    default: undefined,
    flag: 'proxy',
    help: 'connect through this HTTP proxy (CONNECT)',
    where: {
      engines: ['node'],
      act: 'connect through a proxy',
      transports: overTcp,
      reason: name => `An HTTP proxy carries only TCP streams, not ${name}.`,
    },
  }),
  socket: group(socketOptions),
  http: option(untyped<HttpCalling>(), { default: undefined }),
}

export type Calling = OptionsOf<typeof callingOptions>
