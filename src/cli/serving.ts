/** Flags of the server that concern single transports. */
import { Option } from 'commander'
import { usageError } from '../errors.ts'
import type { ServeOptions } from '../serve.ts'
import { datagramRules, type DatagramRule } from '../transport.ts'
import { parseDuration, parseRate, parseSize } from '../units.ts'
import { fileContent } from './calling.ts'
import { asIs, repeatable, value } from './flags.ts'

interface Flags {
  cert?: string
  key?: string
  clientCa?: string
  handshakeTimeout?: number
  proxyProtocol?: 'require' | 'accept' | 'off'
  proxyFrom?: string[]
  messageMax?: number
  deflate?: boolean
  origin?: string[]
  udpRate?: number
  udpAllow?: DatagramRule[]
}

const parsed = (flags: string, description: string, parse: (text: string) => unknown): Option =>
  new Option(flags, description).argParser(value(parse))

export const servingOptions = (): Option[] => [
  new Option('--cert <file>', 'tls: certificate (PEM); one is made if not').argParser(fileContent),
  new Option('--key <file>', 'tls: its key (PEM)').argParser(fileContent),
  new Option('--client-ca <file>', 'tls: whose certificates clients must have (PEM)').argParser(
    fileContent,
  ),
  parsed('--handshake-timeout <time>', 'patience with TLS and the like (10s)', parseDuration),
  new Option('--proxy-protocol <mode>', 'read PROXY headers (default: off)').choices([
    'require',
    'accept',
    'off',
  ]),
  new Option('--proxy-from <network>', 'believe their headers (loopback)').argParser(
    repeatable(asIs),
  ),
  parsed('--message-max <size>', 'ws: the longest message (16MiB)', parseSize),
  new Option('--deflate', 'ws: compress, if the client can'),
  new Option('--origin <origin>', 'ws, http: only pages from there; repeatable').argParser(
    repeatable(asIs),
  ),
  parsed('--udp-rate <rate>', 'udp: to one source at most; unlimited: no limit', text =>
    text === 'unlimited' ? Infinity : parseRate(text),
  ),
  new Option('--udp-allow <rule>', `udp: answer them too: ${datagramRules.join(', ')}`).argParser(
    repeatable(parseRule),
  ),
]

function parseRule(text: string): DatagramRule {
  const rule = datagramRules.find(name => name === text)
  if (!rule) throw usageError(`'${text}' is no rule.`, `The rules are ${datagramRules.join(', ')}.`)
  return rule
}

/** What they say, as the library takes it; and the other flags. */
export function servingOf<F extends object>(flags: F): { serving: ServeOptions; rest: F } {
  const { cert, key, clientCa, handshakeTimeout, proxyProtocol, proxyFrom, ...others } =
    flags as F & Flags
  const { messageMax, deflate, origin, udpRate, udpAllow, ...rest } = others
  if ((cert === undefined) !== (key === undefined))
    throw usageError('--cert and --key belong together.', 'Without both a certificate is made.')
  const readsProxy = proxyProtocol !== undefined && proxyProtocol !== 'off'
  if (proxyFrom && !readsProxy)
    throw usageError('--proxy-from is for --proxy-protocol accept or require.')
  const from = proxyFrom ?? ['127.0.0.0/8', '::1/128']
  const serving: ServeOptions = {
    ...((cert ?? clientCa) !== undefined && { tls: { cert, key, clientCa } }),
    ...(handshakeTimeout !== undefined && { handshakeTimeoutMs: handshakeTimeout }),
    ...(readsProxy && { proxy: { mode: proxyProtocol, from } }),
    web: {
      ...(messageMax !== undefined && { messageMaxBytes: messageMax }),
      ...(deflate !== undefined && { deflate }),
      ...(origin && { origins: origin }),
    },
    datagrams: {
      ...(udpRate !== undefined && { ratePerSource: udpRate }),
      ...(udpAllow && { allow: udpAllow }),
    },
  }
  return { serving, rest: rest as unknown as F }
}
