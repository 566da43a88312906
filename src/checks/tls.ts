/** TLS: versions, certificate, names, resumption, and whether the end is announced. */
import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'
import { withoutZone, type HostAddress } from '../vocabulary/address.ts'
import { printable } from '../vocabulary/text.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { secureTransports } from '../options/where.ts'
import { plain } from '../wire/tls/certificate.ts'
import { persistent } from './again.ts'
import { askDescription } from './http-described.ts'
import { openLine } from './http-exchange.ts'
import { question, type Found } from './question.ts'
import type { Scene } from './scene.ts'
import { tlsFindings, type TlsFinding } from './tls-findings.ts'
import { nameOf, shake, saysNothing, type Shaken } from './tls-handshake.ts'

const soonDays = 14
const dayMs = 24 * 3_600e3

type Finding = Found<TlsFinding>

export const tlsQuestion = question<TlsFinding>({
  asks: 'which versions it speaks, whose certificate it shows, and whether it announces the end',
  transports: secureTransports,
  withoutEcho: true,
  needsMs: 6_000,
  figures: { expiry: 'duration', handshake: 'duration' },
  findings: tlsFindings,
  cost: ({ silenceMs }) => ({ atOnce: 2, connections: 11, bytes: 2_000, ms: 8 * silenceMs }),
  async ask(scene) {
    const first = await persistent(
      () => shake(scene, {}),
      ({ error }) => error === saysNothing,
      2,
    )
    if (!first.stream) {
      const { error } = first
      const found: Finding = {
        name: 'no-handshake',
        said: `the handshake fails: ${error}`,
        evidence: [`a ClientHello with TLS 1.2 and 1.3 was sent; ${error}`],
      }
      return { said: found.said, found: [found], figures: { expiry: null, handshake: null } }
    }
    const certificate = new X509Certificate(first.stream.getPeerCertificate(true).raw)
    const found: Finding[] = judgeTrust(scene, first.stream, certificate)
    scene.note(...found)
    const [version, alpn] = [first.stream.getProtocol(), first.stream.alpnProtocol]
    scene.passed = `a handshake of ${version} took ${formatDuration(first.tookMs)}`
    const session = await sessionOf(scene, first)
    const end = await askEnd(scene, first)
    if (end) found.push(end)
    scene.note(end)
    const versions = await askVersions(scene, version)
    found.push(...versions.found)
    scene.note(...versions.found)
    const sni = await askSni(scene, certificate)
    if (sni) found.push(sni)
    scene.note(sni)
    const again = session ? await shake(scene, { session }) : undefined
    const resumed = again?.stream?.isSessionReused() ?? false
    again?.stream?.destroy()
    const other = await askWhose(scene, certificate)
    if (other) found.push(other)
    const expiry = Date.parse(certificate.validTo) - Date.now()
    return {
      said:
        `${version} of ${versions.spoken}, handshake ${formatDuration(first.tookMs)}, ` +
        `certificate of ${subjectOf(certificate)}, which ${expiryText(expiry)}, ` +
        (resumed ? 'sessions are resumed' : 'sessions are not resumed') +
        (alpn ? `, ALPN ${printable(alpn)}` : ''),
      found,
      figures: { expiry, handshake: first.tookMs },
    }
  },
})

const subjectOf = (certificate: X509Certificate): string =>
  printable(certificate.subject?.replaceAll('\n', ', ') || 'no name')

function judgeTrust(scene: Scene, stream: tls.TLSSocket, certificate: X509Certificate): Finding[] {
  const { serverName } = scene.calling.tls ?? {}
  const { pin = scene.calling.tls?.pin } = scene.known
  const fingerprint = plain(certificate.fingerprint256)
  const { validFrom, validTo } = certificate
  const evidence = [
    `subject ${subjectOf(certificate)}`,
    `issuer ${printable(certificate.issuer?.replaceAll('\n', ', ') ?? 'none')}`,
    `for ${printable(certificate.subjectAltName ?? 'no name')}`,
    `valid from ${validFrom} to ${validTo}`,
    `SHA-256 ${fingerprint}`,
  ]
  const host = withoutZone(serverName ?? (scene.address as HostAddress).host)
  const expiresMs = Date.parse(validTo) - Date.now()
  if (pin !== undefined) {
    if (plain(pin) !== fingerprint)
      return [{ name: 'untrusted', said: 'it is not the certificate of --pin', evidence }]
  } else if (!scene.calling.tls?.insecure || scene.known.untrusted) {
    const wrongName = tls.checkServerIdentity(host, stream.getPeerCertificate())
    const why = stream.authorized ? wrongName?.message : String(stream.authorizationError)
    if (why !== undefined)
      return [
        { name: 'untrusted', said: `the certificate is refused: ${printable(why)}`, evidence },
      ]
  }
  if (expiresMs > soonDays * dayMs) return []
  // A self-signed certificate is probably made at each start of the server: then there will be a
  // new one in time.
  if (expiresMs > 0 && certificate.subject === certificate.issuer) return []
  return [{ name: 'expiring', said: `the certificate ${expiryText(expiresMs)}`, evidence }]
}

/** When a certificate expires: `expires in 3 days`, `expired 331 days ago`. */
export function expiryText(leftMs: number): string {
  const days = plural(Math.floor(Math.abs(leftMs) / dayMs), 'day')
  return leftMs < 0 ? `expired ${days} ago` : `expires in ${days}`
}

/** A session that can be resumed; with TLS 1.3 it comes a little later. */
function sessionOf(scene: Scene, { stream }: Shaken): Promise<Buffer | undefined> {
  const session = stream!.getSession()
  if (stream!.getProtocol() !== 'TLSv1.3') return Promise.resolve(session)
  return new Promise(resolve => {
    const timer = setTimeout(resolve, 50 + 2 * scene.known.rttMs, undefined)
    stream!.once('session', session => {
      clearTimeout(timer)
      resolve(session)
    })
    stream!.resume()
  })
}

/** Sends close_notify, and looks at what comes in answer. */
async function askEnd(scene: Scene, { stream, records }: Shaken): Promise<Finding | undefined> {
  const ended = new Promise<'ended' | 'silence'>(resolve => {
    setTimeout(resolve, scene.silenceMs, 'silence').unref()
    for (const event of ['end', 'close']) stream!.once(event, () => resolve('ended'))
  })
  stream!.resume()
  stream!.end()
  const how = await ended
  // The last record arrives together with the end.
  await new Promise(resolve => setImmediate(resolve))
  const byAlert = records!.endedByAlert
  stream!.destroy()
  if (how === 'silence' || byAlert) return undefined
  return {
    name: 'no-close-notify',
    said: 'the other side ends the connection without close_notify',
    evidence: ['close_notify was sent; FIN came back, and no alert before it'],
  }
}

/**
 * Tries each version by itself: a client that offers an old version may get it.
 * @param agreed the version that the server chose when it was offered all versions
 */
async function askVersions(
  scene: Scene,
  agreed: string | null,
): Promise<{ found: Finding[]; spoken: string }> {
  const spoken: string[] = []
  const errors: string[] = []
  const versions = ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1'] as const
  for (const version of versions) {
    const old = obsolete.includes(version) && { ciphers: 'DEFAULT@SECLEVEL=0' }
    const options = { minVersion: version, maxVersion: version, ...old }
    const { stream, error } = await persistent(
      () => shake(scene, { ...options, secureContext: undefined }),
      each => each.error === saysNothing && version === agreed,
      2,
    )
    if (stream) spoken.push(version)
    else errors.push(`${version}: ${error}`)
    stream?.destroy()
  }
  const evidence = [`spoken: ${spoken.join(', ') || 'none'}`, ...errors]
  const said = `a handshake of ${agreed} succeeded; another one gets no answer`
  if (errors.includes(`${agreed}: ${saysNothing}`))
    return { found: [{ name: 'no-handshake', said, evidence }], spoken: spoken.join(', ') }
  const found: Finding[] = []
  const old = obsolete.filter(version => spoken.includes(version))
  if (old.length > 0)
    found.push({
      name: 'obsolete',
      said: `it still speaks TLS ${old.map(numberOf).join(' and ')}`,
      evidence,
    })
  if (!spoken.includes('TLSv1.3') && spoken.includes('TLSv1.2'))
    found.push({ name: 'not-1.3', said: 'it speaks TLS 1.2, and not 1.3', evidence })
  if (!spoken.includes('TLSv1.2') && spoken.includes('TLSv1.3'))
    found.push({ name: 'only-1.3', said: 'it speaks TLS 1.3 only', evidence })
  return { found, spoken: spoken.map(numberOf).join(', ') || 'none' }
}

const obsolete = ['TLSv1', 'TLSv1.1']
const numberOf = (version: string) => (version === 'TLSv1' ? '1.0' : version.slice(4))

/** Whether the certificate is that of the server, if the server says which one it has. */
async function askWhose(scene: Scene, shown: X509Certificate): Promise<Finding | undefined> {
  const own = await ownFingerprints(scene)
  const fingerprint = plain(shown.fingerprint256)
  if (own.length === 0 || own.includes(fingerprint)) return undefined
  return {
    name: 'intercepted',
    said: 'the certificate is not the one that the server has',
    evidence: [
      `shown: SHA-256 ${fingerprint}, ${subjectOf(shown)}`,
      `the server says that it has: SHA-256 ${own.join(', ')}`,
    ],
    side: 'on the way',
    where: 'something on the way ends TLS, and speaks to the server itself',
  }
}

async function ownFingerprints(scene: Scene): Promise<readonly string[]> {
  if (scene.control) return scene.control.fingerprints
  const { fingerprint } = scene.known
  if (fingerprint !== undefined) return [fingerprint]
  if (scene.address.transport !== 'https') return []
  const line = await openLine(scene).catch(() => undefined)
  const request = line && (await askDescription(scene, line, []))
  await line?.probe.close()
  return request?.tls?.fingerprint ? [request.tls.fingerprint] : []
}

/** What a client that sends no name gets. */
async function askSni(scene: Scene, certificate: X509Certificate): Promise<Finding | undefined> {
  const name = nameOf(scene)
  if (name === '') return undefined
  const { stream, error } = await shake(scene, { servername: '' })
  if (!stream)
    return {
      name: 'needs-sni',
      said: 'without a name (SNI) the handshake fails',
      evidence: [`with the name ${name} it succeeds; without, ${error}`],
    }
  const other = new X509Certificate(stream.getPeerCertificate(true).raw)
  stream.destroy()
  if (other.fingerprint256 === certificate.fingerprint256) return undefined
  return {
    name: 'needs-sni',
    said: 'without a name (SNI) it shows another certificate',
    evidence: [`with the name ${name}: ${subjectOf(certificate)}; without: ${subjectOf(other)}`],
  }
}
