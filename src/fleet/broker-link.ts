/**
 * A client of the broker: it seals what it sends, and ignores what is not sealed with the token.
 */
import { randomInt } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import type { MqttClient } from 'mqtt'
import { UserError } from '../vocabulary/errors.ts'
import { shownBroker, type BrokerUrl } from './broker-url.ts'
import { within } from './deferred.ts'
import { unseal, passwordOf, seal, type Opened } from './sealed.ts'
import { connectSecure, type BrokerTls } from './secure.ts'

export interface LinkOptions {
  url: BrokerUrl
  token: string | undefined
  tls: BrokerTls
  clientId: string
  /** A retained topic that is emptied when this client dies. */
  presence?: string
}

export interface LinkEvents {
  /** @param opened undefined: it is not sealed with our token; null: it is empty */
  message: (topic: string, opened: Opened<never> | undefined | null) => void
  up: () => void
  /** The link is down, and will be tried again. */
  down: (reason: string) => void
}

export interface SayOptions {
  bytes?: Buffer
  /** Whether to wait until the broker has the message. */
  sure?: boolean
  retain?: boolean
}

export interface FleetLink {
  /** @throws UserError if the broker refuses */
  subscribe(...topics: string[]): Promise<void>
  /** Resolves once the message has left; with `sure`, once the broker has it. */
  say(topic: string, words: object, options?: SayOptions): Promise<void>
  close(): Promise<void>
}

/** The broker reports a dead client after one and a half times this. */
const keepAliveSeconds = 5
const retryFirstMs = 100
const retryMostMs = 5_000
const connectTimeoutMs = 10_000
/** The longest time to wait for messages that are being sent. */
export const leaveMs = 2_000

/** The package is loaded only if agents are used. */
const load = async () => (await import('mqtt')).default

export class BrokerLink implements FleetLink {
  up = false
  readonly url: BrokerUrl
  readonly #token: string | undefined
  readonly #client: MqttClient
  #reason = ''

  static async open(options: LinkOptions, events: LinkEvents): Promise<BrokerLink> {
    return new BrokerLink(await load(), options, events)
  }

  private constructor(
    { MqttClient: Client }: Awaited<ReturnType<typeof load>>,
    { url, token, tls, clientId, presence }: LinkOptions,
    events: LinkEvents,
  ) {
    this.url = url
    this.#token = token
    const { host, port, secure, username, password } = url
    const streams = () => {
      const stream = secure
        ? connectSecure(url, tls)
        : connectTcp({ host, port, noDelay: true, keepAlive: true })
      // The client reports only some errors.
      stream.on('error', error => (this.#reason = reasonOf(error)))
      return stream
    }
    // If no user was given, the name is fixed and the password follows from the token.
    const derived = token === undefined ? {} : { username: 'yodel', password: passwordOf(token) }
    const client = new Client(streams, {
      clientId,
      protocolVersion: 4,
      protocolId: 'MQTT',
      clean: true,
      keepalive: keepAliveSeconds,
      connectTimeout: connectTimeoutMs,
      reconnectPeriod: retryFirstMs,
      reconnectOnConnackError: true,
      queueQoSZero: false,
      ...(username === undefined
        ? derived
        : { username, ...(password !== undefined && { password }) }),
      ...(presence !== undefined && {
        will: { topic: presence, payload: Buffer.alloc(0), qos: 1 as const, retain: true },
      }),
    })
    this.#client = client
    client.on('connect', () => {
      this.up = true
      client.options.reconnectPeriod = retryFirstMs
      events.up()
    })
    client.on('error', error => {
      this.#reason = reasonOf(error)
    })
    client.on('close', () => {
      this.up = false
      events.down(this.#reason)
    })
    client.on('reconnect', () => {
      const { reconnectPeriod = 0 } = client.options
      // Random pauses, so that not all agents come at once when a broker is back.
      const most = Math.min(retryMostMs, reconnectPeriod * 2)
      client.options.reconnectPeriod = most - randomInt(Math.ceil(most / 4))
    })
    client.on('message', (topic, payload) => {
      const empty = payload.length === 0
      events.message(topic, empty ? null : unseal<never>(this.#token, topic, payload))
    })
  }

  async subscribe(...all: string[]): Promise<void> {
    const granted = await this.#client.subscribeAsync(all, { qos: 1 })
    if (granted.some(({ qos }) => qos === 128))
      throw new UserError(
        'network',
        `The broker ${shownBroker(this.url)} refuses to deliver ${all.join(', ')}.`,
        'Let this user read and write below yodel/.',
      )
  }

  async say(
    topic: string,
    words: object,
    { bytes, sure = false, retain = false }: SayOptions = {},
  ): Promise<void> {
    const message = seal(this.#token, topic, words, bytes)
    await this.#client.publishAsync(topic, message, { qos: sure ? 1 : 0, retain })
  }

  /**
   * Waits for messages that are being sent, if there is a broker.
   * @param presence a retained topic, which is forgotten
   */
  async close(presence?: string): Promise<void> {
    const leave = async () => {
      if (presence !== undefined)
        await this.#client.publishAsync(presence, '', { qos: 1, retain: true })
      await this.#client.endAsync()
    }
    const down = new Promise<void>(resolve => this.#client.once('close', resolve))
    if (this.up)
      await within(
        Promise.race([leave(), down]).catch(() => {}),
        leaveMs,
      )
    // Without a connection the client would never report that it has ended.
    this.#client.end(true)
  }
}

const connackReasons: Record<number, string> = {
  2: 'it refuses the name of this client',
  3: 'it is not available',
  4: 'it refuses the name or the password: is the token the same?',
  5: 'it refuses this user: is the token the same?',
}

function reasonOf(error: Error & { code?: string | number }): string {
  if (typeof error.code === 'number') return connackReasons[error.code] ?? error.message
  if (error.code === 'ECONNREFUSED') return 'nothing listens there'
  return error.message
}

/**
 * Opens a link, and waits until it is up.
 * @throws UserError if it does not come up at once
 */
export async function openLink(options: LinkOptions, events: LinkEvents): Promise<BrokerLink> {
  const made: { link?: BrokerLink } = {}
  const up = new Promise<void>((resolve, reject) => {
    let wasUp = false
    const listen: LinkEvents = {
      ...events,
      up: () => {
        wasUp = true
        events.up()
        resolve()
      },
      down: reason => {
        if (wasUp) return events.down(reason)
        reject(unreachable(options.url, reason))
      },
    }
    BrokerLink.open(options, listen).then(link => (made.link = link), reject)
  })
  try {
    await up
    return made.link!
  } catch (error) {
    await made.link?.close()
    throw error
  }
}

const unreachable = (url: BrokerUrl, reason: string) =>
  new UserError(
    'network',
    `Cannot talk to the broker ${shownBroker(url)}: ${reason || 'it closed the connection'}.`,
    'Is it an MQTT broker, and does it run?',
  )
