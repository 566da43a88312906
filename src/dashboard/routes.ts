/** The table of routes; operations.ts describes the request and the answer of each. */
import type { AccountList, AccountsKept, Killed, ServerInfo } from './api.ts'
import type { AllAccounts } from '../engines/accounts.ts'
import { compareText } from '../report/compare-text.ts'
import type { Benches } from './benches.ts'
import { bodyAs, checkedQuery, readJson } from './body.ts'
import type { Watchers } from './events.ts'
import type { Faults } from './faults.ts'
import { healthRoutes } from './health.ts'
import type { Observer } from './observer.ts'
import { operations, type OperationKey } from './operations.ts'
import type { Readiness } from './readiness.ts'
import { Refused } from './refused.ts'
import type { Handler } from './handler.ts'

export interface DashboardParts {
  observer: Observer
  watchers: Watchers
  faults: Faults
  accounts: AllAccounts
  benches: Benches
  readiness: Readiness
  metrics: () => string
  info: () => ServerInfo
  drain: () => void
}

const text = 'text/plain; charset=utf-8'
/**
 * The policy of a report: nothing is loaded, and no script runs. The page has a stricter policy of
 * its own in a `<meta>` element, too.
 */
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

/** By method and path; `:id` stands for a name. */
export function createRoutes(parts: DashboardParts): Map<string, Handler> {
  return new Map([
    ...watching(parts),
    ...changing(parts),
    ...accounting(parts),
    ...benching(parts),
    ...healthRoutes(parts.readiness, parts.metrics),
  ])
}

type Rows = [key: OperationKey, route: Handler][]

const watching = ({ observer, watchers, faults, benches, info }: DashboardParts): Rows => [
  ['GET /api/server', () => ({ body: info() })],
  ['GET /api/history', oncePerObservation(observer, () => observer.history)],
  ['GET /api/timeline', oncePerObservation(observer, () => observer.lanes)],
  [
    'GET /api/events',
    ({ request, response }) => {
      // A HEAD request has no body to stream.
      if (request.method === 'HEAD') return { body: '', type: 'text/event-stream' }
      watchers.add(response)
      watchers.greet(response, 'server', info())
      watchers.greet(response, 'faults', faults.list())
      const [newest] = benches.list()
      if (newest) watchers.greet(response, 'bench', newest)
      return undefined
    },
  ],
  [
    'GET /api/connections',
    ({ query }) => {
      const wanted = checkedQuery(query, operations['GET /api/connections'].query)
      return { body: observer.connections.page(wanted) }
    },
  ],
  ['GET /api/faults', () => ({ body: faults.list() })],
  ['GET /api/openapi.json', async () => ({ body: (await import('./openapi.ts')).openapi() })],
]

/** The text may have megabytes: requests within the same second share it. */
function oncePerObservation(observer: Observer, make: () => unknown): Handler {
  let body: Buffer | undefined
  let of: unknown
  return () => {
    const last = observer.history.at(-1)
    if (!body || of !== last) body = Buffer.from(JSON.stringify(make()))
    of = last
    return { body, type: 'application/json' }
  }
}

const changing = ({ observer, watchers, faults, drain }: DashboardParts): Rows => {
  const tellFaults = () => {
    const list = faults.list()
    watchers.send('faults', list)
    return { body: list }
  }
  return [
    [
      'DELETE /api/connections/:id',
      ({ id }) => {
        if (!observer.connections.kill(id))
          throw new Refused(404, `There is no connection ${id}.`, 'It may have ended by now.')
        return { body: { killed: 1 } satisfies Killed }
      },
    ],
    [
      'DELETE /api/connections',
      ({ query }) => {
        const wanted = checkedQuery(query, operations['DELETE /api/connections'].query)
        const { filter = '', listener } = wanted
        if ((wanted.all === 'true') === (filter !== ''))
          throw new Refused(
            400,
            'The connections to kill are not named.',
            'Send filter=TEXT, or all=true.',
          )
        const killed = observer.connections.killAll({ filter, listener })
        return { body: { killed } satisfies Killed }
      },
    ],
    [
      'PUT /api/faults',
      async ({ request }) => {
        const { body } = operations['PUT /api/faults']
        await faults.put(bodyAs(await readJson(request), body))
        return tellFaults()
      },
    ],
    [
      'DELETE /api/faults',
      async () => {
        await faults.reset()
        return tellFaults()
      },
    ],
    [
      'POST /api/drain',
      () => {
        drain()
        return { status: 202, body: { draining: true } }
      },
    ],
  ]
}

const accounting = ({ accounts }: DashboardParts): Rows => [
  [
    'POST /api/accounts',
    async ({ request }) => {
      const { seconds } = bodyAs(await readJson(request), operations['POST /api/accounts'].body)
      await accounts.keep(seconds * 1e3)
      const now = Date.now()
      return { status: 201, body: { now, until: now + seconds * 1e3 } satisfies AccountsKept }
    },
  ],
  [
    'GET /api/accounts',
    async () => {
      const list = await accounts.list()
      return { body: { now: Date.now(), accounts: list } satisfies AccountList }
    },
  ],
  [
    'POST /api/accounts/again',
    async ({ request }) => {
      const { body } = operations['POST /api/accounts/again']
      const { peer } = bodyAs(await readJson(request), body)
      accounts.again(peer)
      return { status: 202, body: { peer } }
    },
  ],
  [
    'POST /api/accounts/marks',
    async ({ request }) => {
      const { body } = operations['POST /api/accounts/marks']
      const { peer, mark } = bodyAs(await readJson(request), body)
      await accounts.mark(peer, mark)
      return { status: 202, body: { peer, mark } }
    },
  ],
]

const benching = ({ benches }: DashboardParts): Rows => [
  ['GET /api/benches', () => ({ body: benches.list() })],
  [
    'POST /api/benches',
    async ({ request }) => {
      const { body } = operations['POST /api/benches']
      const wanted = bodyAs(await readJson(request), body)
      return { status: 201, body: await benches.start(wanted) }
    },
  ],
  [
    'GET /api/benches/compare',
    ({ request, query }) => {
      const { a, b } = checkedQuery(query, operations['GET /api/benches/compare'].query)
      const comparison = benches.compare(a, b)
      if (request.headers.accept?.includes('application/json')) return { body: comparison }
      return { body: compareText(comparison, { columns: 100, unicode: true }), type: text }
    },
  ],
  ['GET /api/benches/:id', ({ id }) => ({ body: benches.result(id) })],
  [
    'GET /api/benches/:id/report',
    async ({ id }) => {
      const result = benches.result(id)
      const { loadHtml } = await import('../report/html.ts')
      return {
        body: loadHtml(result),
        type: 'text/html; charset=utf-8',
        headers: { 'Content-Security-Policy': reportPolicy },
      }
    },
  ],
  [
    'DELETE /api/benches/:id',
    ({ id }) => {
      benches.stop(id)
      return { status: 202, body: { stopping: id } }
    },
  ],
]
