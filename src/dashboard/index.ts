/** startDashboard(): a page, an API and metrics beside servers that run in this process. */
import type { HostAddress } from '../address.ts'
import { faultKinds } from '../faults/index.ts'
import { suits } from '../faults/suits.ts'
import { version } from '../machine.ts'
import type { ListenerInfo, ServerInfo } from './api.ts'
import { readAssets } from './assets.ts'
import { Benches } from './benches.ts'
import { checkedQuery } from './body.ts'
import { Consoles } from './consoles.ts'
import { Watchers } from './events.ts'
import { Faults, type OwnListener } from './faults.ts'
import { Guard } from './guard.ts'
import { MetricsPage } from './metrics.ts'
import type { Observer } from './observer.ts'
import { Refused } from './refused.ts'
import { createRoutes } from './routes.ts'
import { answerWith, listenForWeb } from './server.ts'

export interface DashboardOptions {
  /** Looks at the listeners; whoever makes it starts and stops it. */
  observer: Observer
  /** The same listeners, with their faults. */
  listeners: readonly OwnListener[]
  address: HostAddress
  /** Whoever asks must know it; undefined: nobody need. */
  token?: string | undefined
  /** It was made by `randomToken()`: others who guess from the same address lock nobody out. */
  tokenIsRandom?: boolean | undefined
  /** Whether benches may go to others than the listeners. */
  benchAnywhere?: boolean | undefined
  /** The servers are to stop accepting. */
  onDrain: () => void
  /** Hears of every change that was made, `PUT /api/faults`, and from where. */
  onControl?: ((what: string, from: string) => void) | undefined
  /** Hears of what should not have happened; the dashboard goes on. */
  onDefect: (error: unknown) => void
  /** Where the built page is. */
  pageFolder?: string | undefined
  /** What a request may take until it is there whole. */
  requestTimeoutMs?: number | undefined
}

export interface Dashboard extends AsyncDisposable {
  /** With the port that the system gave. */
  readonly address: HostAddress
  /** Without the token. */
  readonly url: string
  /** For the browser: with the token, if there is one. */
  readonly link: string
  /** The servers are stopping: no longer ready. */
  setDraining(): void
  /** A script has put others in force; undefined: those of the start. */
  setFaults(texts: readonly string[] | undefined): void
  close(): Promise<void>
}

/** @throws UserError if the address cannot be had */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { observer, listeners, benchAnywhere = false, token } = options
  const { server, address } = await listenForWeb(options)
  const watchers = new Watchers()
  const faults = new Faults(listeners)
  const metrics = new MetricsPage(observer)
  const consoles = new Consoles()
  const benches = new Benches(listeners, benchAnywhere, about => watchers.send('bench', about))
  const startedAt = Date.now()
  let draining = false
  const info = (): ServerInfo => ({
    version,
    startedAt,
    pid: process.pid,
    draining,
    benchAnywhere,
    listeners: listenersOf(observer, faults),
  })
  const setDraining = () => {
    if (draining) return
    draining = true
    watchers.send('server', info())
  }
  const setFaults = (texts: readonly string[] | undefined) => {
    faults.note(texts)
    watchers.send('faults', faults.list())
  }
  const drain = () => {
    setDraining()
    options.onDrain()
  }
  const stopListening = observer.onLook(({ second, lanes, activity }) => {
    watchers.send('second', second)
    if (lanes.length > 0) watchers.send('lanes', lanes)
    if (activity.length > 0) watchers.send('activity', activity)
  })
  answerWith(server, {
    guard: new Guard(address, token, options.tokenIsRandom),
    routes: createRoutes({ observer, watchers, faults, benches, metrics, info, drain }),
    assets: readAssets(options.pageFolder),
    onDefect: options.onDefect,
    onControl: options.onControl,
    upgrade(request, stream, head, query) {
      const { listener = 0 } = checkedQuery<{ listener?: number }>(query, { 'listener?': 'whole' })
      const wanted = listeners[listener]
      if (!wanted) throw new Refused(404, `There is no listener ${listener}.`)
      consoles.accept(request, stream, head, wanted)
    },
  })
  const close = async () => {
    stopListening()
    watchers.close()
    consoles.close()
    metrics.close()
    await benches.close()
    const closed = new Promise(resolve => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  const url = `http://${host}:${address.port}/`
  const link = token === undefined ? url : `${url}?token=${token}`
  return { address, url, link, setDraining, setFaults, close, [Symbol.asyncDispose]: close }
}

const listenersOf = (observer: Observer, faults: Faults): ListenerInfo[] =>
  observer.listeners.map(({ server, concurrency }, index) => ({
    index,
    url: server.url,
    engine: server.engine,
    concurrency: Number.isFinite(concurrency) ? concurrency : null,
    notes: [...server.notes],
    faultsFixedBecause: faults.fixedBecause(index),
    faultKinds: faultKinds.filter(kind => suits(kind, server.address.transport)),
  }))
