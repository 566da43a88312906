/** listAgents(broker): which agents are there, and what each says about itself. */
import { randomBytes } from 'node:crypto'
import { version } from '../vocabulary/machine.ts'
import { checkBrokerToken, parseBrokerUrl, usualBroker } from './broker-url.ts'
import { deferred, within } from './deferred.ts'
import { openLink } from './broker-link.ts'
import { prefix, senderIn, topics, type Presence } from './messages.ts'
import { Roster, whyNot } from './roster.ts'
import { checkBrokerTls } from './secure.ts'
import type { FleetOptions } from './options.ts'

export interface PresentAgent {
  name: string
  /** The run at which it works; null if it is idle. */
  run: string | null
  version: string
  cores: number
  memoryBytes: number
  /** How many descriptors it may have; null where that is not known. */
  descriptors: number | null
  /** The agent's own limits; without patterns it sends to its own machine only. */
  allow: string[]
  maxRate: number | null
  maxConnections: number | null
  /** Whether a coordinator of this version can use the agent. */
  usable: boolean
}

export interface AgentList {
  agents: PresentAgent[]
  /** How many further agents have another token. */
  strange: number
}

/** Retained messages come at once, but after the acknowledgement of the subscription. */
const settleMs = 300
const answerMs = 5_000

/**
 * The agents that wait at a broker, or are at work.
 * @throws UserError if there is no broker
 */
export async function listAgents(
  broker: string = usualBroker,
  options: Pick<FleetOptions, 'token' | 'brokerCa' | 'brokerPin'> = {},
): Promise<AgentList> {
  const { token, brokerCa: ca, brokerPin: pin } = options
  const url = parseBrokerUrl(broker)
  checkBrokerToken(url, token)
  checkBrokerTls(url, { ca, pin })
  const id = randomBytes(8).toString('hex')
  const roster = new Roster(() => {})
  const back = deferred<boolean>()
  const link = await openLink(
    { url, token, tls: { ca, pin }, clientId: `yodel-list-${id}` },
    {
      up: () => {},
      down: () => {},
      message: (topic, opened) => {
        if (!topic.startsWith(`${prefix}/agents/`)) return back.resolve(true)
        roster.heard(senderIn(topic), opened && opened.words)
      },
    },
  )
  try {
    await link.subscribe(`${prefix}/agents/+`, topics.toAgent(id))
    // The broker sends retained messages before the acknowledgement of this message.
    await link.say(topics.toAgent(id), {}, { sure: true })
    await within(back.promise, answerMs)
    await within(new Promise<never>(() => {}), settleMs)
  } finally {
    await link.close()
  }
  return { agents: roster.all.map(({ hello }) => shown(hello)), strange: roster.strange }
}

function shown(hello: Presence): PresentAgent {
  const { kind: _, startId: _startId, layout: _layout, ...rest } = hello
  const usable = rest.version === version && whyNot({ ...hello, run: null }) === undefined
  return { ...rest, usable }
}
