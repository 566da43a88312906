/** Watches the servers of `yodel serve`: for the dashboard, and for the log. */
import { isPublic, type HostAddress } from '../vocabulary/address.ts'
import type { Dashboard } from '../dashboard/index.ts'
import type { Health } from '../dashboard/health.ts'
import type { Observation, Observer } from '../dashboard/observer.ts'
import type { Readiness } from '../dashboard/readiness.ts'
import { UserError } from '../vocabulary/errors.ts'
import { counterOf, servedCounters } from '../metrics/counters.ts'
import { failureNames } from '../metrics/meter.ts'
import type { ServeOptions, Server } from '../serve.ts'
import type { FaultSpec } from '../faults/index.ts'
import type { Calling } from '../options/calling.ts'
import { transports } from '../vocabulary/transport.ts'
import { Storms, type Log } from './log.ts'
import { print } from './output.ts'
import type { Typed } from './typed.ts'
import { usualDashboard, type Watching } from './watch-options.ts'

export interface WatchOptions extends Watching {
  /** The faults of each server, as given on the command line. */
  faults: readonly (readonly FaultSpec[] | undefined)[]
  /** Called when the script has set other faults. */
  script: { onChange: () => void }
  typed: Typed
  proxy: ServeOptions['proxy']
  log: Log
}

export interface Watch {
  dashboard: Dashboard | undefined
  health: Health | undefined
  /** The address of the dashboard, with the token if yodel made it. */
  link: string | undefined
  /** To be called when the servers are stopping. */
  setDraining(): void
  close(): Promise<void>
}

const unwatched: Watch = {
  dashboard: undefined,
  health: undefined,
  link: undefined,
  setDraining() {},
  async close() {},
}

/** @throws UserError if the dashboard or the probes cannot listen at their address */
export async function watch(servers: readonly Server[], options: WatchOptions): Promise<Watch> {
  const { dashboard: address, health: healthAddress, log } = options
  const isAsked = (address ?? healthAddress) !== undefined
  if (!isAsked && !log.writes('info')) return unwatched
  const { Observer } = await import('../dashboard/observer.ts')
  const { Readiness } = await import('../dashboard/readiness.ts')
  const listeners = servers.map(server => ({ server, concurrency: server.concurrency }))
  const observer = new Observer(listeners, { seesBacklog: isAsked })
  const readiness = new Readiness(servers)
  const health = healthAddress && (await openHealth(observer, readiness, healthAddress, log))
  const opened = address && open(servers, observer, readiness, address, options)
  const dashboard = await opened?.catch(async (error: unknown) => {
    await health?.close()
    throw error
  })
  options.script.onChange = () => dashboard?.showFaults()
  if (log.writes('info')) writeEvents(observer, log)
  observer.start()
  return {
    dashboard,
    health,
    link: options.token === undefined ? dashboard?.link : dashboard?.url,
    setDraining() {
      readiness.setDraining()
      log.event('info', 'draining', {})
    },
    async close() {
      observer.stop()
      // The last second counts too.
      await observer.observe()
      await dashboard?.close()
      await health?.close()
    },
  }
}

async function openHealth(
  observer: Observer,
  readiness: Readiness,
  address: HostAddress,
  log: Log,
): Promise<Health> {
  const { startHealth } = await import('../dashboard/health.ts')
  return startHealth({ observer, readiness, address, onDefect: defectTo(log) })
}

const defectTo = (log: Log) => (error: unknown) =>
  log.say('error', `a defect of the dashboard, please report it: ${(error as Error).stack}`)

async function open(
  servers: readonly Server[],
  observer: Observer,
  readiness: Readiness,
  address: HostAddress,
  { token, benchAnywhere, metricsOpen, faults, typed, proxy, log }: WatchOptions,
): Promise<Dashboard> {
  const { startDashboard } = await import('../dashboard/index.ts')
  const { checkToken, randomToken } = await import('../dashboard/access.ts')
  const needed = isPublic(address) ? randomToken() : undefined
  const wanted = {
    observer,
    listeners: servers.map((server, index) => ({
      server,
      faults: server.faults && (faults[index] ?? []),
      options: typed.wordsFor(server.address.transport),
      calling: callingOf(server, proxy),
    })),
    token: token === undefined ? needed : checkToken(token),
    tokenIsRandom: token === undefined,
    benchAnywhere,
    metricsOpen,
    readiness,
    onDrain: () => {
      log.event('info', 'draining', {})
      for (const server of servers) void server.close()
    },
    onControl: (what: string, from: string) => log.event('info', 'control', { what, from }),
    onDefect: defectTo(log),
  }
  try {
    return await startDashboard({ ...wanted, address })
  } catch (error) {
    const isTaken = error instanceof UserError && error.message.includes('EADDRINUSE')
    if (!isTaken || address.host !== usualDashboard.host || address.port !== usualDashboard.port)
      throw error
    // A taken default port is no reason to fail: the page takes a free one.
    log.say('info', `Port ${usualDashboard.port} is taken, so the dashboard is on another one.`)
    return startDashboard({ ...wanted, address: { ...address, port: 0 } })
  }
}

/**
 * A client in this process trusts the server's own certificate, and sends the PROXY header it
 * wants.
 */
const callingOf = ({ address }: Server, proxy: ServeOptions['proxy']): Calling => ({
  ...(transports[address.transport].secure && { tls: { insecure: true } }),
  ...(proxy?.mode === 'require' && { sendProxy: 2 }),
})

/** Logs what happened in each second, in as few lines as possible. */
function writeEvents(observer: Observer, log: Log) {
  const storms = new Storms(log)
  observer.onObservation(observation => {
    for (const [index, { server }] of observer.listeners.entries())
      writeCounts(observation.grown[index]!, server.url, log)
    if (log.writes('debug')) writeConnections(observation, observer, storms)
    storms.endSecond()
  })
}

function writeCounts(grown: Observation['grown'][number], listener: string, log: Log) {
  for (const name of servedCounters) {
    const said = counterOf(name).said?.log
    if (said && grown[name] > 0) log.event(said[0], said[1], { listener, [said[2]]: grown[name] })
  }
  const failed = failureNames.filter(name => grown[name] > 0)
  if (failed.length === 0) return
  const classes = Object.fromEntries(failed.map(name => [name, grown[name]]))
  log.event('info', 'connections failed', { listener, ...classes })
}

function writeConnections({ changes, second }: Observation, observer: Observer, storms: Storms) {
  const about = (listener: number) => observer.listeners[listener]!.server.url
  for (const { id, listener, entry } of changes.opened)
    storms.event('debug', 'opened', { connection: id, listener: about(listener), ...whoIs(entry) })
  for (const { id, listener, entry } of changes.ended) {
    const { bytesIn, bytesOut, ending, closedAt, openedAt } = entry
    const counts = { bytesIn, bytesOut, ms: Math.round(closedAt - openedAt), reason: ending }
    const named = { connection: id, listener: about(listener), ...whoIs(entry) }
    storms.event('debug', 'closed', { ...named, ...counts })
  }
  if (second.waiting) storms.event('debug', 'clients wait', { clients: second.waiting })
}

/** The client; behind a proxy also the proxy's address. */
const whoIs = ({ peer, realPeer }: Observation['changes']['opened'][number]['entry']) =>
  realPeer === '' ? { peer } : { peer: realPeer, via: peer }

/** Prints the address of the dashboard, and warns if other machines can reach it. */
export function announceWatch({ dashboard, health, link }: Watch, json: boolean, log: Log): void {
  if (health) announceHealth(health, json, log)
  if (!dashboard) return
  if (isPublic(dashboard.address)) {
    const sentence =
      'The dashboard can be reached from other machines, over plain HTTP; ' +
      'the token gives control of this server.'
    log.say('warn', sentence)
  }
  // The token must not be in a log.
  log.event('info', 'dashboard', { url: dashboard.url })
  if (json) print(`${JSON.stringify({ event: 'dashboard', url: link })}\n`)
  else print(`yodel: dashboard on ${link}\n`)
}

function announceHealth({ address, url }: Health, json: boolean, log: Log) {
  if (isPublic(address))
    log.say('warn', `${url} can be reached from other machines; anyone can read the metrics`)
  log.event('info', 'health', { url })
  if (json) print(`${JSON.stringify({ event: 'health', url })}\n`)
  else print(`yodel: health on ${url}\n`)
}
