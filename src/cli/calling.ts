/** Flags of those who connect: what a transport needs to know of us. */
import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option } from 'commander'
import type { Calling } from '../transport.ts'
import { asIs, repeatable } from './flags.ts'

/** The content of a file, wherever an option names one. */
export function fileContent(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InvalidArgumentError(`Cannot read it: ${(error as Error).message}.`)
  }
}

interface Flags {
  ca?: string
  pin?: string
  insecure?: boolean
  serverName?: string
  alpn?: string[]
  cert?: string
  key?: string
  sendProxy?: '1' | '2'
}

export const callingOptions = (): Option[] => [
  new Option('--ca <file>', 'tls: trust whom it has signed, too (PEM)').argParser(fileContent),
  new Option('--pin <sha256>', 'tls: trust only the certificate with this fingerprint'),
  new Option('--insecure', 'tls: talk to whoever answers'),
  new Option('--server-name <name>', 'tls: for SNI and the check of names'),
  new Option('--alpn <protocol>', 'tls: what to speak; repeatable').argParser(repeatable(asIs)),
  new Option('--cert <file>', 'tls: show this certificate (PEM)').argParser(fileContent),
  new Option('--key <file>', 'tls: its key (PEM)').argParser(fileContent),
  new Option('--send-proxy [version]', 'begin with a PROXY header: 1 or 2 (default: 2)')
    .choices(['1', '2'])
    .preset('2'),
]

/** What they say, as the library takes it; and the other flags. */
export function callingOf<F extends object>(flags: F): { calling: Calling; rest: F } {
  const { ca, pin, insecure, serverName, alpn, cert, key, sendProxy, ...rest } = flags as F & Flags
  const tls = { ca, pin, insecure, serverName, alpn, cert, key }
  const calling: Calling = {
    ...(Object.values(tls).some(value => value !== undefined) && { tls }),
    ...(sendProxy !== undefined && { sendProxy: Number(sendProxy) as 1 | 2 }),
  }
  return { calling, rest: rest as unknown as F }
}
