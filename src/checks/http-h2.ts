/** HTTP/2: does the server speak it, and does a body come back as over HTTP/1.1? */
import { UserError } from '../vocabulary/errors.ts'
import { transports } from '../vocabulary/transport.ts'
import { formatSize } from '../vocabulary/units.ts'
import { persistent } from './again.ts'
import type { HttpFinding } from './http-findings.ts'
import { askSession } from './http-h2-session.ts'
import type { Found } from './question.ts'
import { message, type Scene } from './scene.ts'

const bodyBytes = 20_000
const http2 = 'HTTP/2'

interface Spoken {
  said: string
  found: Found<HttpFinding>[]
}

/**
 * By ALPN, or where there is no TLS by prior knowledge (RFC 9113 section 3.3).
 * @param sendsTrailers whether the other end sends a trailer back with the echo
 */
export async function askHttp2(scene: Scene, sendsTrailers: boolean): Promise<Spoken> {
  const isSecure = transports[scene.address.transport].secure
  const none = { said: isSecure ? 'no HTTP/2' : 'no HTTP/2 in the clear', found: [] }
  const alpn = isSecure ? ['h2', 'http/1.1'] : ['h2']
  const calling = { ...scene.calling, tls: { ...scene.calling.tls, alpn } }
  try {
    const probe = await scene.open(scene.address, calling, scene.silenceMs)
    const isSpoken = probe.details[0] === http2
    const sent = message(scene.known, bodyBytes)
    if (isSpoken || !isSecure) await probe.write(sent)
    const waited = isSpoken ? await probe.bytes(sent.length, scene.silenceMs) : 'ended'
    const { received, story } = probe
    await probe.close()
    if (!isSpoken) return none
    if (received.equals(sent)) {
      const found = await persistent(
        () => askSession(scene, sendsTrailers),
        found => found.length > 0,
        2,
      )
      return { said: found[0]?.said ?? 'HTTP/2, too', found }
    }
    // Without TLS the server has not promised HTTP/2.
    if (!isSecure && received.length === 0) return none
    const came = waited === 'silence' ? 'then nothing more' : 'then it ended'
    const finding = {
      name: 'no-http2' as const,
      said: 'HTTP/2 is agreed on, but a body does not come back over it',
      evidence: [
        `POST of ${formatSize(bodyBytes)}: ${formatSize(received.length)} came back, ${came}`,
        story,
      ],
    }
    return { said: 'HTTP/2 does not work', found: [finding] }
  } catch (error) {
    if (error instanceof UserError) return none
    throw error
  }
}
