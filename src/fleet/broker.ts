/** The broker that a coordinator starts if none is named. */
import { timingSafeEqual } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecure } from 'node:tls'
import type { Aedes, AedesOptions } from 'aedes'
import { UserError, usageError } from '../vocabulary/errors.ts'
import { minVersion, type ServerTls } from '../wire/tls/credentials.ts'
import { shownBroker, type BrokerUrl } from './broker-url.ts'
import { within } from './deferred.ts'
import { leaveMs } from './broker-link.ts'
import { prefix } from './messages.ts'
import { passwordOf } from './sealed.ts'

/** A piece of a part is much smaller. */
const payloadMaxBytes = 1 << 20
const refusal = (text: string) => new Error(text)

export class Broker {
  readonly #aedes: Aedes
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  static async create(token: string | undefined): Promise<Broker> {
    const { Aedes } = await import('aedes')
    return new Broker(await Aedes.createBroker(rulesFor(token)))
  }

  private constructor(aedes: Aedes) {
    this.#aedes = aedes
  }

  /**
   * @returns its real address: the system may choose the port.
   * @throws UserError if it cannot
   */
  async listen(url: BrokerUrl, tls: ServerTls | undefined): Promise<BrokerUrl> {
    const serve = (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
      socket.setNoDelay(true)
      this.#aedes.handle(socket)
    }
    const server = tls
      ? createSecure({ cert: tls.cert, key: tls.key, minVersion }, serve)
      : createServer(serve)
    await listening(server, url)
    this.#server = server
    return { ...url, port: (server.address() as { port: number }).port }
  }

  /** Subscribes a listener in this process. It does not get messages that were retained before. */
  subscribe(topic: string, hear: (topic: string, payload: Buffer) => void): void {
    this.#aedes.subscribe(
      topic,
      (packet, done) => {
        hear(packet.topic, packet.payload as Buffer)
        done()
      },
      () => {},
    )
  }

  publish(topic: string, payload: Buffer, how: { qos: 0 | 1; retain: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      const packet = { cmd: 'publish', dup: false, topic, payload, ...how } as const
      this.#aedes.publish(packet, error => (error ? reject(error) : resolve()))
    })
  }

  /**
   * Ends each connection with a FIN, and waits until the client closes it, so that everything sent
   * before still arrives.
   */
  async close(): Promise<void> {
    const server = this.#server
    const closed = new Promise<void>(resolve =>
      server ? server.close(() => resolve()) : resolve(),
    )
    for (const socket of this.#sockets) socket.end()
    await within(closed, leaveMs)
    await new Promise<void>(resolve => this.#aedes.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

/** What each client of the broker may do. */
const rulesFor = (token: string | undefined): AedesOptions => ({
  connectTimeout: 10_000,
  // No limit: otherwise messages would wait for an agent that reads nothing any more. The messages
  // of one agent are still passed on in order.
  concurrency: 0,
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
