/** The portable engine: node:net, on every system, with every transport. */
import type { Engine } from '../engine.ts'
import type { LoadTask } from '../../task.ts'
import type { Feature } from '../features.ts'
import { openDatagrams, refusesDatagrams } from './udp/index.ts'

/** net.Server takes reusePort from these versions on. */
const canSharePort = (): boolean => {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
}

/** HTTP/1.1 has no way to tell answers apart that are under way at the same time. */
function refusesLoad({ address: { transport }, calling, depth }: LoadTask): string | undefined {
  const isHttp = transport === 'http' || transport === 'https'
  if (!isHttp || depth === 1 || calling.tls?.alpn?.[0] === 'h2') return undefined
  return 'HTTP/1.1 has one message in flight on a connection: use more connections, or --alpn h2.'
}

export const node: Engine = {
  name: 'node',
  features: new Set<Feature>([
    'tcp',
    'unix',
    'tls',
    'ws',
    'wss',
    'http',
    'https',
    'udp',
    'serve',
    'load',
    'churn',
    'idle',
    'faults',
    'proxy-protocol',
    'send-proxy',
    'inherit',
    'share-port',
    'ledger',
  ]),
  refuses(task) {
    if (task.address.transport === 'udp') {
      const refusal = refusesDatagrams(task)
      if (refusal !== undefined) return refusal
    }
    if (task.kind === 'load') return refusesLoad(task)
    if (!task.sharePort) return undefined
    if (task.address.transport === 'unix') return 'The threads cannot share a unix socket.'
    if (process.platform !== 'linux') return `Ports cannot be shared on ${process.platform}.`
    if (canSharePort()) return undefined
    return `Node ${process.versions.node} cannot share a port among threads; 22.12 can.`
  },
  async open(task, meter) {
    if (task.address.transport === 'udp') return openDatagrams(task, meter)
    if (task.kind === 'serve') return (await import('./serve.ts')).openServe(task, meter)
    return (await import('./load.ts')).openLoad(task, meter)
  },
}
