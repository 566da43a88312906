/** The options of a server. */
import { wantedEnginesTo } from '../vocabulary/engine-names.ts'
import { isDatagrams, transportNames } from '../vocabulary/transport.ts'
import type { FaultSpec } from '../faults/index.ts'
import { group, option, type OptionsOf, type ResolvedOf, type Where } from './form.ts'
import {
  choice,
  count,
  duration,
  fileText,
  list,
  microseconds,
  rate,
  size,
  text,
  untyped,
  whether,
} from './kinds.ts'
import { datagramRules, type DatagramRule } from '../wire/udp/guard.ts'
import { carrying, connected, secureTransports, speaking } from './where.ts'

/** Which certificate a server shows, and which ones it demands. All in PEM (RFC 7468). */
export const tlsOptions = {
  cert: option(fileText('CERT.pem'), {
    default: undefined,
    flag: 'cert',
    help: 'tls: certificate (PEM); without it one is made',
    where: { engines: 'every', transports: secureTransports },
  }),
  key: option(fileText('KEY.pem'), {
    default: undefined,
    flag: 'key',
    help: 'tls: its key (PEM)',
    where: { engines: 'every', transports: secureTransports },
  }),
  /** Clients must show a certificate that one of these has signed. */
  clientCa: option(fileText('CA.pem'), {
    default: undefined,
    flag: 'client-ca',
    help: 'tls: clients need a certificate signed by one in this file (PEM)',
    where: {
      engines: ['node', 'uring'],
      act: 'demand certificates of clients',
      transports: secureTransports,
    },
  }),
}

/** Which peers may name their client in a PROXY header (proxy-protocol.txt). */
export const proxyOptions = {
  /** `accept`: a header may come; `require`: a connection without one is closed. */
  mode: option(choice(['require', 'accept', 'off'], 'mode'), {
    default: 'off',
    flag: 'proxy-protocol',
    help: 'read PROXY headers',
    where: {
      engines: ['node'],
      act: 'read PROXY headers',
      transports: connected,
      reason: name => `PROXY headers are not read on ${name}: no connection begins with one.`,
    },
  }),
  /** Addresses or networks (CIDR) whose headers are trusted. */
  from: option(list(text('<network>')), {
    default: ['127.0.0.0/8', '::1/128'] as string[],
    flag: 'proxy-from',
    help: 'trust PROXY headers from this network; repeatable',
    defaultText: 'loopback',
  }),
}

/** The package `ws` counts in 32 bits. */
const messageMaxMaxBytes = 2 ** 31 - 1

/** Limits of WebSocket and HTTP servers. */
export const webOptions = {
  /** In bytes; a longer message is refused. Bodies of HTTP stream through and have no limit. */
  messageMaxBytes: option(size({ max: messageMaxMaxBytes, maxText: '2 GiB minus 1 B' }), {
    default: 16 * 2 ** 20,
    flag: 'message-max',
    help: 'ws: the longest message',
    defaultText: '16MiB',
    where: { engines: ['node', 'uring'], act: 'limit messages of ws', transports: speaking('ws') },
  }),
  /** permessage-deflate (RFC 7692). */
  deflate: option(whether(), {
    default: false,
    flag: 'deflate',
    help: 'ws: compress, if the client can',
    where: { engines: ['node'], act: 'compress messages of ws', transports: speaking('ws') },
  }),
  /** Only pages from these origins may connect; undefined: all. */
  origins: option(list(text('<origin>')), {
    default: undefined,
    flag: 'origin',
    help: 'ws, http: only pages from this origin may connect; repeatable',
    where: {
      engines: ['node', 'uring'],
      act: 'let only pages from some origins connect',
      transports: [...speaking('ws'), ...speaking('http')],
    },
  }),
}

/** Which datagrams are not answered, so that no third party is flooded by our echoes. */
export const datagramOptions = {
  /**
   * Answers to one address per second; Infinity: no limit. Undefined: 10,000, and no limit for
   * addresses of the loopback.
   */
  ratePerSource: option(rate({ unlimited: true }), {
    default: undefined,
    flag: 'udp-rate',
    help: 'udp: answers per second to one source; or unlimited',
    defaultText: '10k/s; loopback: unlimited',
    where: {
      engines: ['node', 'uring'],
      act: 'limit its answers to a source',
      transports: carrying('datagrams'),
    },
  }),
  /** The rules that are lifted. */
  allow: option(list(choice(datagramRules, 'rule')), {
    default: [] as DatagramRule[],
    flag: 'udp-allow',
    help: `udp: answer these too: ${datagramRules.join(', ')}; repeatable`,
    where: { engines: 'every', transports: carrying('datagrams') },
  }),
}

const ofConnections = (what: string): Where => ({
  engines: 'every',
  transports: connected,
  reason: name =>
    `There is no ${what} on ${name}, as there are no connections. ` +
    'Leave the option out; if other transports need it, serve them in another process.',
})

/** Options in the first list of the help. */
export const commonOptions = {
  /** How many clients are served at the same time; the others wait in the backlog. */
  concurrency: option(count({ unlimited: true }), {
    default: Infinity,
    flag: 'concurrency',
    help: 'clients served at a time; others wait',
    defaultText: 'unlimited',
    where: ofConnections('limit of clients'),
  }),
  /** How bytes are moved. */
  engine: option(choice(wantedEnginesTo('serve')), {
    default: 'auto',
    flag: 'engine',
    help: 'how bytes are moved',
  }),
  /** Threads that share the port. Each serves its share of `concurrency`. */
  threads: option(count({ max: 256 }), {
    default: 1,
    flag: 'threads',
    help: 'threads that share each port',
  }),
  /** Close a connection on which nothing has moved for this long; 0 for never. */
  idleTimeoutMs: option(duration(), {
    default: 3600_000,
    flag: 'idle-timeout',
    help: 'close connections that are idle for this long; 0: never',
    where: ofConnections('idle timeout'),
  }),
  /** How long close() waits for the clients to close. */
  drainMs: option(duration(), {
    default: 5_000,
    flag: 'drain',
    help: 'when stopping, wait this long for clients to close',
  }),
  /** How long to look for work before going to sleep, in microseconds; 0 for not at all. */
  busyPollUs: option(microseconds(), {
    default: 0,
    flag: 'busy-poll',
    help: 'poll for work this long before sleeping (uring)',
    where: { engines: ['uring'], act: 'poll busily', transports: transportNames },
  }),
  /**
   * Clients may measure in one direction, and ask what this end saw of a connection: sessions in
   * band, which begin with a message that no echo user sends by accident.
   */
  directions: option(whether(), {
    default: false,
    flag: 'directions',
    help: 'also serve `bench --direction`, which sends in one direction',
    where: {
      engines: ['node'],
      act: 'serve directions',
      transports: transportNames,
    },
  }),
  /** The answer in place of an echo, for old clients: nothing, or characters without end. */
  reply: option(choice(['echo', 'discard', 'chargen'], 'reply'), {
    default: 'echo',
    flag: 'reply',
    help: 'what to answer: an echo, nothing (RFC 863), or characters for ever (RFC 864)',
    where: {
      engines: ['node'],
      act: 'answer with anything but an echo',
      transports: carrying('bytes'),
      reason: name =>
        isDatagrams({ transport: name })
          ? 'Only an echo is served on udp: anything longer could be turned against others.'
          : `Only an echo is served on ${name}.`,
    },
  }),
  /** The most datagrams per second to all sessions together; undefined: the default. */
  maxRatePerSecond: option(rate({ unlimited: true }), {
    default: undefined,
    flag: 'max-rate',
    help: 'udp: the most datagrams per second to all clients of `bench --direction`',
    defaultText: '10k/s; loopback: unlimited',
    where: {
      engines: ['node'],
      act: 'limit the rate of directions',
      transports: carrying('datagrams'),
    },
  }),
  /** Leave after the first client. */
  oneOff: option(whether(), {
    default: false,
    flag: 'one-off',
    help: 'exit after the first client',
    where: ofConnections('leaving after the first client'),
  }),
}

/** Options of faults. The faults themselves are flags of cli/faults. */
export const faultOptions = {
  /**
   * How the server misbehaves; a chunk goes through them in this order. With an empty list it
   * behaves well until `setFaults()`; without a list it cannot misbehave.
   */
  faults: option(untyped<readonly FaultSpec[]>(), {
    default: undefined,
    where: { engines: ['node'], act: 'inject faults', transports: transportNames },
  }),
  /**
   * Like an empty list of faults, if the chosen engine can have faults. It does not change which
   * engine is chosen.
   */
  faultsLater: option(untyped<boolean>(), { default: false }),
  /** Decides the random choices of faults. */
  seed: option(count({ min: 0, max: 2 ** 32 - 1 }), {
    default: 1,
    flag: 'seed',
    help: 'decides the random choices of faults',
  }),
}

/** Options of single transports. */
export const transportOptions = {
  /** For tls, wss and https; without it a certificate is made at start. */
  tls: group(tlsOptions),
  /** How long a client may take for its handshakes: PROXY header, TLS, upgrade, first request. */
  handshakeTimeoutMs: option(duration({ zero: false }), {
    default: 10_000,
    flag: 'handshake-timeout',
    help: 'time limit for the PROXY header, TLS and other handshakes',
    where: { engines: 'every', transports: connected },
  }),
  proxy: group(proxyOptions),
  web: group(webOptions),
  datagrams: group(datagramOptions),
}

export const serveOptions = {
  ...commonOptions,
  ...faultOptions,
  ...transportOptions,
  /** The descriptor of a socket that is bound already, and listening unless it is udp. */
  inheritedFd: option(untyped<number>(), {
    default: undefined,
    where: {
      engines: ['node'],
      act: 'take over a socket that is open already',
      transports: transportNames,
    },
  }),
  /** Keep a list of the connections, which `ledgers` shows. */
  ledger: option(untyped<boolean>(), { default: false }),
}

/** The rules of a server that reads PROXY headers. */
export interface ProxyRules {
  mode: 'accept' | 'require'
  from: string[]
}
export type WebRules = ResolvedOf<typeof webOptions>
export type DatagramRules = ResolvedOf<typeof datagramOptions>
export type ServingOptions = OptionsOf<typeof serveOptions>
