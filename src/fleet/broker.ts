/** The broker that a coordinator starts if none is named. */
import { timingSafeEqual } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecure } from 'node:tls'
import { UserError, usageError } from '../vocabulary/errors.ts'
import { minVersion, type ServerTls } from '../wire/tls/credentials.ts'
import { shownBroker, type BrokerUrl } from './broker-url.ts'
import { prefix } from './messages.ts'
import { passwordOf } from './sealed.ts'

export interface Broker {
  /** The real address of the broker: the system may have chosen the port. */
  readonly url: BrokerUrl
  close(): Promise<void>
}

/** A piece of a part is smaller by far. */
const payloadMaxBytes = 1 << 20
const refusal = (text: string) => new Error(text)

/** @throws UserError if it cannot listen there */
export async function startBroker(
  url: BrokerUrl,
  token: string | undefined,
  tls: ServerTls | undefined,
): Promise<Broker> {
  const { Aedes } = await import('aedes')
  const aedes = await Aedes.createBroker({
    connectTimeout: 10_000,
    authenticate: (_client, _user, password, done) => {
      const known = token === undefined || isSame(password, passwordOf(token))
      // Bad username or password (MQTT 3.1.1, section 3.2.2.3).
      const error = Object.assign(refusal('another token'), { returnCode: 4 })
      done(known ? null : error, known)
    },
    authorizePublish: (_client, { topic, payload, retain }, done) => {
      const isOurs = topic.startsWith(`${prefix}/`) && payload.length <= payloadMaxBytes
      const keeps = !retain || topic.startsWith(`${prefix}/agents/`)
      done(isOurs && keeps ? null : refusal('not for yodel'))
    },
    authorizeSubscribe: (_client, subscription, done) => {
      const isOurs = subscription.topic.startsWith(`${prefix}/`)
      done(null, isOurs ? subscription : null)
    },
  })
  const sockets = new Set<Socket>()
  const serve = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    aedes.handle(socket)
  }
  const server = tls
    ? createSecure({ cert: tls.cert, key: tls.key, minVersion }, serve)
    : createServer(serve)
  await listening(server, url)
  const { port } = server.address() as { port: number }
  return {
    url: { ...url, port },
    close: async () => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      await new Promise<void>(resolve => aedes.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function isSame(found: Buffer | undefined, wanted: string): boolean {
  return (
    found !== undefined &&
    found.length === wanted.length &&
    timingSafeEqual(found, Buffer.from(wanted))
  )
}

async function listening(server: Server, url: BrokerUrl): Promise<void> {
  const { host, port } = url
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port }, resolve)
    })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const where = shownBroker(url)
    if (code === 'EADDRINUSE')
      throw new UserError(
        'network',
        `Cannot be the broker at ${where}: something listens there.`,
        `If it is an MQTT broker, say --broker ${where}; else --broker-listen with another port.`,
      )
    if (code === 'EACCES') throw usageError(`Cannot be the broker at ${where}: not permitted.`)
    throw new UserError('network', `Cannot be the broker at ${where}: ${message}.`)
  }
}
