/** The coordinator's side: its broker (if it runs one), its link, and the roster. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { usageError } from '../vocabulary/errors.ts'
import { hostInUrl } from '../vocabulary/address.ts'
import { fingerprintOf } from '../wire/tls/certificate.ts'
import { identityFor } from '../wire/tls/credentials.ts'
import { Broker } from './broker.ts'
import {
  checkListening,
  checkBrokerToken,
  isElsewhere,
  parseBrokerUrl,
  usualBroker,
  type BrokerUrl,
} from './broker-url.ts'
import { openLink, type FleetLink } from './broker-link.ts'
import { LocalLink } from './local-link.ts'
import { prefix, senderIn, topics } from './messages.ts'
import type { ToAgent, ToCoordinator, Without } from './messages.ts'
import { Roster, type Present } from './roster.ts'
import type { Opened } from './sealed.ts'
import { checkBrokerTls, type BrokerTls } from './secure.ts'
import type { FleetOptions } from './options.ts'

export interface FleetEvents {
  heard(agent: string, opened: Opened<ToCoordinator>): void
  /** An agent has gone, or its connection to the broker broke. */
  gone(agent: string): void
  broker(up: boolean): void
}

export const agentTimeoutMs = 30_000

export class Fleet {
  readonly id = randomBytes(8).toString('hex')
  readonly roster: Roster
  readonly timeoutMs: number
  readonly embedded: boolean
  events: FleetEvents | undefined
  #link!: FleetLink

  /** @throws UserError if there is no broker */
  static async open(options: FleetOptions): Promise<Fleet> {
    const { broker, brokerListen, brokerCa: ca, brokerPin: pin, onEvent = () => {} } = options
    if (broker !== undefined && brokerListen !== undefined)
      throw usageError('--broker and --broker-listen cannot be used together.')
    if (broker !== undefined) {
      const url = parseBrokerUrl(broker)
      checkBrokerToken(url, options.token)
      checkBrokerTls(url, { ca, pin })
      const fleet = new Fleet(false, options)
      await fleet.#connect(url, options.token, { ca, pin })
      return fleet
    }
    if (ca !== undefined || pin !== undefined)
      throw usageError('--broker-ca and --broker-pin are for a broker that runs already.')
    const url = parseBrokerUrl(brokerListen ?? usualBroker)
    checkListening(url)
    const token = options.token ?? (isElsewhere(url) ? randomBytes(24).toString('hex') : undefined)
    checkBrokerToken(url, token)
    const tls = url.secure
      ? identityFor({ transport: 'tls', host: url.host, port: url.port })
      : undefined
    const own = await Broker.create(token)
    const fleet = new Fleet(true, options)
    try {
      // The link is there before the broker listens, so it hears every agent.
      fleet.#link = new LocalLink(own, token, (topic, opened) => fleet.#hear(topic, opened))
      await fleet.#link.subscribe(...fleet.#topics)
      const real = await own.listen(url, tls)
      const ownPin = tls && fingerprintOf(tls.cert)
      for (const line of commandLines(real, ownPin, token, options.token)) onEvent(line)
    } catch (error) {
      await own.close()
      throw error
    }
    return fleet
  }

  private constructor(embedded: boolean, options: FleetOptions) {
    this.embedded = embedded
    this.timeoutMs = options.agentTimeoutMs ?? agentTimeoutMs
    this.roster = new Roster(options.onEvent ?? (() => {}))
  }

  async #connect(url: BrokerUrl, token: string | undefined, tls: BrokerTls): Promise<void> {
    let arrived = false
    this.#link = await openLink(
      { url, token, tls, clientId: `yodel-bench-${this.id}` },
      {
        up: () => arrived && this.events?.broker(true),
        down: () => this.events?.broker(false),
        message: (topic, opened) => this.#hear(topic, opened),
      },
    )
    arrived = true
    await this.#link.subscribe(...this.#topics)
  }

  get #topics(): string[] {
    return [`${prefix}/agents/+`, topics.toCoordinator(this.id, '+')]
  }

  #hear(topic: string, opened: Opened<never> | undefined | null): void {
    const agent = senderIn(topic)
    if (!topic.startsWith(`${prefix}/agents/`)) {
      if (opened) this.events?.heard(agent, opened)
      return
    }
    this.roster.heard(agent, opened && opened.words)
    if (opened === null) this.events?.gone(agent)
  }

  say({ agent, hello }: Present, words: Without<ToAgent, 'startId'>, sure = true): void {
    const all = { ...words, startId: hello.startId }
    this.#link.say(topics.toAgent(agent), all, { sure }).catch(() => {})
  }

  async close(): Promise<void> {
    this.events = undefined
    await this.#link.close()
  }
}

/** The commands to type on the other machines. */
function commandLines(
  url: BrokerUrl,
  pin: string | undefined,
  token: string | undefined,
  given: string | undefined,
): string[] {
  const isAll = url.host === '0.0.0.0' || url.host === '::'
  const host = isAll ? hostname() : url.host
  const where = `mqtt${url.secure ? 's' : ''}://${hostInUrl(host)}:${url.port}`
  const known = pin === undefined ? '' : ` --pin ${pin}`
  if (token === undefined) return [`waiting for agents: yodel agent ${where}`]
  const made = given === undefined ? [`  echo ${token} > yodel.token; chmod 600 yodel.token`] : []
  return [
    'on each other machine, type:',
    ...made,
    `  yodel agent ${where}${known} --token-file yodel.token --allow PATTERN`,
  ]
}
