/** The options of a load that agents send, in addition to those of the load. */
import type { ResolvedOf, OptionsOf } from '../options/form.ts'
import { option } from '../options/form.ts'
import { duration, fileText, text, textFor, untyped } from '../options/kinds.ts'
import { parseBrokerUrl, usualBroker } from './broker-url.ts'

export const fleetOptions = {
  /** An MQTT broker that runs already; without it, this is the broker itself. */
  broker: option(textFor('<url>', parseBrokerUrl), {
    default: undefined,
    flag: 'broker',
    help: 'with --agents: the MQTT broker where agents wait ($YODEL_BROKER)',
  }),
  /** Where to be the broker; another address than the loopback needs `mqtts://`. */
  brokerListen: option(textFor('<url>', parseBrokerUrl), {
    default: undefined,
    flag: 'broker-listen',
    help: 'with --agents: be the broker itself, at this address',
    defaultText: usualBroker,
  }),
  /** How long to wait for agents that do not come, or that were lost. */
  agentTimeoutMs: option(duration({ zero: false, endless: false }), {
    default: 30_000,
    flag: 'agent-timeout',
    help: 'with --agents: how long to wait for missing agents',
  }),
  /** The secret that all of them share. */
  token: option(fileText('TOKEN'), {
    default: undefined,
    flag: 'token-file',
    help: 'with --agents: the secret that all of them share ($YODEL_FLEET_TOKEN)',
  }),
  /** Trusted in addition to the authorities that Node knows; PEM. */
  brokerCa: option(fileText('CA.pem'), {
    default: undefined,
    flag: 'broker-ca',
    help: 'broker: also trust certificates that are signed by one in this file (PEM)',
  }),
  /** SHA-256 of its certificate. */
  brokerPin: option(text('<sha256>'), {
    default: undefined,
    flag: 'broker-pin',
    help: 'broker: trust only the certificate with this fingerprint',
  }),
  /** Called with a line for what happens before the load begins. */
  onEvent: option(untyped<(line: string) => void>(), { default: undefined }),
}

export type FleetOptions = OptionsOf<typeof fleetOptions>
export type ResolvedFleet = ResolvedOf<typeof fleetOptions>
