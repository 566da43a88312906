/** One TLS handshake with the given options, on a connection of its own. */
import { isIP } from 'node:net'
import * as tls from 'node:tls'
import { bareAt, withoutZone, type HostAddress } from '../vocabulary/address.ts'
import { printable } from '../vocabulary/text.ts'
import { errnoOf } from '../engines/failures.ts'
import { contextOf } from '../wire/tls/credentials.ts'
import { tlsMeaning } from '../wire/tls/failures.ts'
import { plainCalling } from './below.ts'
import type { Scene } from './scene.ts'
import { RecordTap } from './tls-records.ts'

export const saysNothing = 'the other side says nothing'

export interface Shaken {
  stream?: tls.TLSSocket
  records?: RecordTap
  tookMs: number
  error: string
}

/** A handshake of its own over a plain connection; the certificate is judged later. */
export async function shake(scene: Scene, options: tls.ConnectionOptions): Promise<Shaken> {
  const probe = await scene.open(bareAt(scene.address), plainCalling(scene.calling))
  probe.stream.removeAllListeners('data')
  const records = new RecordTap(probe.stream)
  const startedMs = performance.now()
  const stream = tls.connect({
    socket: records,
    rejectUnauthorized: false,
    servername: nameOf(scene),
    ALPNProtocols: protocolsOf(scene),
    secureContext: contextOf(scene.calling),
    ...options,
  })
  stream.allowHalfOpen = true
  const error = await new Promise<string>(resolve => {
    const timer = setTimeout(resolve, scene.silenceMs, saysNothing)
    stream.once('secureConnect', () => {
      clearTimeout(timer)
      resolve('')
    })
    stream.on('error', error => {
      clearTimeout(timer)
      resolve(tlsMeaning(error)?.[0] ?? (errnoOf(error) || error.message))
    })
    stream.once('close', () => resolve('the other side closed the connection'))
  })
  const tookMs = performance.now() - startedMs
  if (error === '') return { stream, records, tookMs, error }
  stream.destroy()
  await probe.close()
  return { tookMs, error: printable(error) }
}

/** For SNI, where the host has a name (RFC 6066 section 3). */
export function nameOf(scene: Scene): string {
  const name = withoutZone(scene.calling.tls?.serverName ?? (scene.address as HostAddress).host)
  return isIP(name) ? '' : name
}

function protocolsOf(scene: Scene): string[] {
  const { alpn } = scene.calling.tls ?? {}
  if (alpn) return [...alpn]
  const own = { https: ['h2', 'http/1.1'], wss: ['http/1.1'] }
  return own[scene.address.transport as 'https'] ?? []
}
