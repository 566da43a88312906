/** yodel agent: wait for shares of loads, and send them. */
import { resolve } from 'node:path'
import { Argument, type Command } from '@commander-js/extra-typings'
import { agent } from '../fleet/agent.ts'
import { parsePattern } from '../fleet/allow.ts'
import { parseBrokerUrl, usualBroker } from '../fleet/broker-url.ts'
import { fromFlags, option, type Kind } from '../options/form.ts'
import { count, fileText, rate, text, whether } from '../options/kinds.ts'
import { lowerBackgroundThreads } from '../threads/background.ts'
import { fleetBroker, fleetToken } from './fleet-token.ts'
import { value } from './flags.ts'
import { addTables, type Tables } from './option-flags.ts'
import { leave, onInterrupt, tell } from './output.ts'
import { checkOutputs, saveAll } from './saving.ts'

const patterns: Kind<string[]> = {
  placeholder: '<pattern...>',
  parse(typed) {
    const all = typed.split(/[\s,]+/).filter(each => each !== '')
    for (const each of all) parsePattern(each)
    return all
  },
  format: all => all,
  mistake: () => undefined,
  many: true,
}

const agentOptions = {
  name: option(text('<name>'), {
    default: undefined,
    flag: 'name',
    help: 'its name in reports',
    defaultText: 'name of the machine, and process id',
  }),
  token: option(fileText('TOKEN'), {
    default: undefined,
    flag: 'token-file',
    help: 'the secret that it shares with `yodel bench --agents` ($YODEL_FLEET_TOKEN)',
  }),
  allow: option(patterns, {
    default: undefined,
    flag: 'allow',
    help: "where it may send: 'tcp://10.0.0.5:7000', 'tls://*.lab.example:443'; repeatable",
    defaultText: 'its own machine',
  }),
  maxRate: option(rate(), {
    default: undefined,
    flag: 'max-rate',
    help: 'refuse a share with more messages per second',
  }),
  maxConnections: option(count(), {
    default: undefined,
    flag: 'max-connections',
    help: 'refuse a share with more connections',
  }),
  once: option(whether(), { default: false, flag: 'once', help: 'exit after one run' }),
}
const trustOptions = {
  ca: option(fileText('CA.pem'), {
    default: undefined,
    flag: 'ca',
    help: 'mqtts: also trust certificates that are signed by one in this file (PEM)',
  }),
  pin: option(text('<sha256>'), {
    default: undefined,
    flag: 'pin',
    help: 'mqtts: trust only the certificate with this fingerprint',
  }),
}
export const agentTables: Tables = [
  [undefined, agentOptions],
  [undefined, trustOptions],
]

export const brokerArgument = () =>
  new Argument('[broker]', `where it waits: an MQTT broker ($YODEL_BROKER, else ${usualBroker})`)
    .argParser(value(typed => (parseBrokerUrl(typed), typed)))
    .argOptional()

export function completeAgent(bare: Command): void {
  const command = bare.addArgument(brokerArgument())
  addTables(command, agentTables)
  command.action(async (typed, flags) => {
    const { token, ...options } = fromFlags(agentOptions, flags)
    lowerBackgroundThreads()
    const run = agent(fleetBroker(typed), {
      ...options,
      token: fleetToken(token),
      tls: fromFlags(trustOptions, flags),
      onEvent: tell,
      save,
    })
    const restore = onInterrupt(() => run.stop())
    await run.finished.finally(restore)
    // A thread that was stopped may leave handles open, which must not keep the process alive.
    leave(process.exitCode)
  })
}

/** @throws UserError if the file cannot be written */
function save(name: string, content: string): string {
  const path = resolve(name)
  checkOutputs([path])
  saveAll([{ path, text: () => content, silent: true }])
  return path
}
