/** yodel agents: lists the agents that wait. */
import type { Command } from '@commander-js/extra-typings'
import { listAgents, type PresentAgent } from '../fleet/list.ts'
import { fleetOptions } from '../fleet/options.ts'
import { fromFlags } from '../options/form.ts'
import { formatCount, formatRate, plural } from '../vocabulary/units.ts'
import { fleetBroker, fleetToken } from './fleet-token.ts'
import { jsonOption } from './flags.ts'
import { addTables, type Tables } from './option-flags.ts'
import { heedInterrupts, print } from './output.ts'

const { broker, token, brokerCa, brokerPin } = fleetOptions
const listOptions = {
  broker: { ...broker, help: 'the MQTT broker where agents wait ($YODEL_BROKER)' },
  token: { ...token, help: 'the secret that agents share ($YODEL_FLEET_TOKEN)' },
  brokerCa,
  brokerPin,
}
export const agentsTables: Tables = [
  [undefined, listOptions],
  [undefined, jsonOption],
]

export function completeAgents(bare: Command): void {
  addTables(bare, agentsTables)
  bare.action(async flags => {
    const { broker: typed, token: file, ...tls } = fromFlags(listOptions, flags)
    const { json = false } = fromFlags(jsonOption, flags)
    heedInterrupts('interrupted before the agents had answered')
    const list = await listAgents(fleetBroker(typed), { ...tls, token: fleetToken(file) })
    if (json) return print(`${JSON.stringify(list)}\n`)
    const { agents, strange } = list
    for (const each of agents) print(`${lineOf(each)}\n`)
    if (agents.length === 0) print('no agent is there\n')
    if (strange > 0) print(`${plural(strange, 'agent')} with another token\n`)
  })
}

function lineOf(agent: PresentAgent): string {
  const { name, run, version, cores, descriptors, allow, maxRate, maxConnections, usable } = agent
  return [
    `${name}: ${run === null ? 'idle' : 'at work'}`,
    `yodel ${version}${usable ? '' : ' (another version)'}`,
    plural(cores, 'core'),
    ...(descriptors === null ? [] : [`${formatCount(descriptors)} descriptors`]),
    `sends to ${allow.length === 0 ? 'its own machine' : allow.join(' ')}`,
    ...(maxRate === null ? [] : [`at most ${formatRate(maxRate)}`]),
    ...(maxConnections === null ? [] : [`at most ${plural(maxConnections, 'connection')}`]),
  ].join(', ')
}
