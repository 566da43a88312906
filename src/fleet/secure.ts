/** TLS to a broker: verified by the authorities of Node and of --ca, or by a pin. */
import { duplexPair, pipeline, type Duplex } from 'node:stream'
import { connect, rootCertificates } from 'node:tls'
import { isIP } from 'node:net'
import { usageError } from '../vocabulary/errors.ts'
import { checkCalling, minVersion } from '../wire/tls/credentials.ts'
import { plain } from '../wire/tls/certificate.ts'
import type { BrokerUrl } from './broker-url.ts'

export interface BrokerTls {
  /** PEM. */
  ca?: string | undefined
  /** SHA-256 of its certificate. */
  pin?: string | undefined
}

/** @throws UserError if it makes no sense */
export function checkBrokerTls({ secure }: BrokerUrl, tls: BrokerTls): void {
  const { ca, pin } = tls
  if (!secure && (ca !== undefined || pin !== undefined))
    throw usageError('mqtt:// has no TLS, so there is no certificate to trust.', 'Use mqtts://.')
  checkCalling({ tls })
}

/** Opens a TLS connection. Nothing that is written is sent before the certificate is verified. */
export function connectSecure({ host, port }: BrokerUrl, { ca, pin }: BrokerTls): Duplex {
  const [near, far] = duplexPair()
  const socket = connect({
    host,
    port,
    minVersion,
    ...(isIP(host) === 0 && { servername: host }),
    // The pin alone decides, below.
    rejectUnauthorized: pin === undefined,
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
  })
  socket.setNoDelay(true)
  const fail = (error: Error) => near.destroy(error)
  socket.once('error', fail)
  socket.once('secureConnect', () => {
    const found = plain(socket.getPeerCertificate().fingerprint256)
    if (pin !== undefined && found !== plain(pin)) {
      socket.destroy(new Error(`it has another certificate than the pin, ${found}`))
      return
    }
    socket.off('error', fail)
    pipeline(far, socket, far, error => near.destroy(error ?? undefined))
  })
  near.once('close', () => socket.destroy())
  return near
}
