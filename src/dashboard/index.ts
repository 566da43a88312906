/** startDashboard(): a page, an API and metrics for servers that run in this process. */
import type { HostAddress } from '../vocabulary/address.ts'
import { AllAccounts } from '../engines/accounts.ts'
import { faultKinds, faultKindOf } from '../faults/index.ts'
import { appliesTo } from '../faults/applicable.ts'
import { engineCan } from '../vocabulary/engine-names.ts'
import { version } from '../vocabulary/machine.ts'
import type { ListenerInfo, ServerInfo } from './api.ts'
import { readAssets } from './assets.ts'
import { Benches } from './benches.ts'
import { checkedQuery } from './body.ts'
import { Consoles } from './consoles.ts'
import { Watchers } from './events.ts'
import { Faults, type OwnListener } from './faults.ts'
import { Access, type AccessOptions } from './access.ts'
import { MetricsPage } from './metrics.ts'
import type { Observer } from './observer.ts'
import { operations } from './operations.ts'
import { Readiness } from './readiness.ts'
import { Refused } from './refused.ts'
import { createRoutes } from './routes.ts'
import { answerWith, closeServer, listenForWeb, urlOf } from './server.ts'

export interface DashboardOptions extends AccessOptions {
  /** Observes the listeners; the caller starts and stops it. */
  observer: Observer
  /** The same listeners, with their faults. */
  listeners: readonly OwnListener[]
  address: HostAddress
  /** Whether the servers take clients; the caller also reports this elsewhere. */
  readiness?: Readiness | undefined
  /** Whether benches may load other addresses than those of the listeners. */
  benchAnywhere?: boolean | undefined
  /** Asks the servers to stop accepting. */
  onDrain: () => void
  /**
   * Called for every change that was made: with the request (such as `PUT /api/faults`), and the
   * address that sent it.
   */
  onControl?: ((what: string, from: string) => void) | undefined
  /** Called for unexpected errors; the dashboard goes on. */
  onDefect: (error: unknown) => void
  /** Where the built page is. */
  pageFolder?: string | undefined
  /** The time limit for receiving a whole request. */
  requestTimeoutMs?: number | undefined
}

export interface Dashboard extends AsyncDisposable {
  /** With the port that the system gave. */
  readonly address: HostAddress
  /** Without the token. */
  readonly url: string
  /** For the browser: with the token, if there is one. */
  readonly link: string
  /** Called when a script has set other faults, so that the page shows them. */
  showFaults(): void
  close(): Promise<void>
}

/** @throws UserError if it cannot listen at the address */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { observer, listeners, benchAnywhere = false, token } = options
  const { server, address } = await listenForWeb(options, '--dashboard')
  const watchers = new Watchers()
  const faults = new Faults(listeners)
  const metrics = new MetricsPage(observer)
  const consoles = new Consoles()
  const accounts = accountsOf(listeners)
  const benches = new Benches(listeners, {
    anywhere: benchAnywhere,
    queueAt: index => observer.queueAt(index),
    onChange: about => watchers.send('bench', about),
  })
  const startedAt = Date.now()
  const { readiness = new Readiness(listeners.map(({ server }) => server)) } = options
  const info = (): ServerInfo => ({
    version,
    startedAt,
    pid: process.pid,
    draining: readiness.draining,
    benchAnywhere,
    listeners: listenersOf(observer, faults),
  })
  readiness.onChange(() => watchers.send('server', info()))
  const showFaults = () => watchers.send('faults', faults.list())
  const drain = () => {
    readiness.setDraining()
    options.onDrain()
  }
  const stopListening = tellSeconds(observer, watchers, benches)
  answerWith(server, {
    access: new Access(address, options),
    routes: createRoutes({
      observer,
      watchers,
      faults,
      accounts,
      benches,
      readiness,
      info,
      drain,
      metrics: () => metrics.text(watchers.count),
    }),
    assets: readAssets(options.pageFolder),
    onDefect: options.onDefect,
    onControl: options.onControl,
    upgrade(request, stream, head, query) {
      const { listener = 0 } = checkedQuery(query, operations['GET /api/console'].query)
      const called = listeners[listener]
      if (!called) throw new Refused(404, `There is no listener ${listener}.`)
      const queueUp = () => observer.queueAt(listener)
      consoles.accept(request, stream, head, { listener: called, queueUp })
    },
  })
  const close = async () => {
    stopListening()
    watchers.close()
    consoles.close()
    accounts.close()
    metrics.close()
    await benches.close()
    await closeServer(server)
  }
  const url = urlOf(address)
  const link = token === undefined ? url : `${url}?token=${token}`
  return { address, url, link, showFaults, close, [Symbol.asyncDispose]: close }
}

/** @returns a function that ends it */
function tellSeconds(observer: Observer, watchers: Watchers, benches: Benches): () => void {
  return observer.onObservation(({ second, lanes, activity }) => {
    watchers.send('second', second)
    if (lanes.length > 0) watchers.send('lanes', lanes)
    if (activity.length > 0) watchers.send('activity', activity)
    benches.look()
  })
}

const accountsOf = (listeners: readonly OwnListener[]) =>
  new AllAccounts(
    listeners.map(({ server: { url, engine, ledgers } }) => ({
      url,
      threads: engineCan(engine, 'accounts') ? ledgers.length : 0,
    })),
  )

const listenersOf = (observer: Observer, faults: Faults): ListenerInfo[] =>
  observer.listeners.map(({ server, concurrency }, index) => ({
    index,
    url: server.url,
    engine: server.engine,
    fingerprint: server.fingerprint ?? null,
    concurrency: Number.isFinite(concurrency) ? concurrency : null,
    notes: [...server.notes],
    faultsFixedBecause: faults.fixedBecause(index),
    faultKinds: faultKinds
      .filter(kind => appliesTo(kind, server.address.transport))
      .map(kind => {
        const { meaning, sample } = faultKindOf(kind)!
        return { kind, meaning, sample }
      }),
  }))
