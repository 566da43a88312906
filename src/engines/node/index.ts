/** The portable engine: node:net, on every system, with every transport. */
import type { Engine } from '../engine.ts'
import { nodeTransports } from './transports.ts'

export { dial, type Link, type Target } from './dial.ts'
export { foreignProbe, type ForeignTimes } from './direction/foreign.ts'
export { askTrace, NoSession, trace, type Traced } from './direction/paired.ts'

/** net.Server takes reusePort from these versions on. */
const canSharePort = (): boolean => {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
}

export const node: Engine = {
  name: 'node',
  refuses(task) {
    const refusal = nodeTransports[task.address.transport].refuses?.(task)
    if (refusal !== undefined || task.kind !== 'serve' || !task.sharePort) return refusal
    if (task.address.transport === 'unix') return 'The threads cannot share a unix socket.'
    if (process.platform !== 'linux') return `Ports cannot be shared on ${process.platform}.`
    if (canSharePort()) return undefined
    return `Node ${process.versions.node} cannot share a port among threads; 22.12 can.`
  },
  async open(task, meter) {
    const transport = nodeTransports[task.address.transport]
    if (task.kind === 'flow') return transport.flow(task, meter)
    return task.kind === 'serve' ? transport.serve(task, meter) : transport.load(task, meter)
  },
}
