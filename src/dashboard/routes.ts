/** The table of routes; api.ts describes the request and the answer of each. */
import type { BenchWanted, ConnectionQuery, FaultsWanted, Killed, ServerInfo } from './api.ts'
import type { Benches } from './benches.ts'
import { checked, checkedQuery, readJson } from './body.ts'
import type { Watchers } from './events.ts'
import type { Faults } from './faults.ts'
import { healthRoutes } from './health.ts'
import type { Observer } from './observer.ts'
import type { Readiness } from './readiness.ts'
import { Refused } from './refused.ts'
import type { Route } from './route.ts'

export interface Parts {
  observer: Observer
  watchers: Watchers
  faults: Faults
  benches: Benches
  readiness: Readiness
  metrics: () => string
  info: () => ServerInfo
  drain: () => void
}

const text = 'text/plain; charset=utf-8'
/**
 * The policy of a report, which has a stricter one in its head, too: nothing is loaded, no script
 * runs.
 */
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

/** By method and path; `:id` stands for a name. */
export function createRoutes(parts: Parts): Map<string, Route> {
  return new Map([
    ...watching(parts),
    ...changing(parts),
    ...benching(parts),
    ...healthRoutes(parts.readiness, parts.metrics),
  ])
}

type Rows = [key: string, route: Route][]

const watching = ({ observer, watchers, faults, benches, info }: Parts): Rows => [
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
  ['GET /api/connections', ({ query }) => ({ body: observer.connections.page(pageQuery(query)) })],
  ['GET /api/faults', () => ({ body: faults.list() })],
]

/** The text may have megabytes: requests within the same second share it. */
function oncePerObservation(observer: Observer, make: () => unknown): Route {
  let body: Buffer | undefined
  let of: unknown
  return () => {
    const last = observer.history.at(-1)
    if (!body || of !== last) body = Buffer.from(JSON.stringify(make()))
    of = last
    return { body, type: 'application/json' }
  }
}

const sorts = ['peer', 'openedAt', 'bytesIn', 'bytesOut', 'unsentBytes', 'idleMs']
const pageMax = 500

function pageQuery(query: URLSearchParams): ConnectionQuery {
  const wanted = checkedQuery<ConnectionQuery>(query, {
    'sort?': 'text',
    'order?': 'text',
    'filter?': 'text',
    'offset?': 'whole',
    'limit?': 'whole',
  })
  const { sort = 'openedAt', order = 'asc', limit = 100 } = wanted
  if (!sorts.includes(sort))
    throw new Refused(400, `'sort' cannot be ${sort}.`, `There are ${sorts.join(', ')}.`)
  if (order !== 'asc' && order !== 'desc') throw new Refused(400, "'order' is asc or desc.")
  if (limit > pageMax) throw new Refused(400, `'limit' is ${pageMax} at most.`)
  return wanted
}

const changing = ({ observer, watchers, faults, drain }: Parts): Rows => {
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
        const all = query.get('all') === 'true'
        const filter = query.get('filter') ?? ''
        if (all === (filter !== ''))
          throw new Refused(
            400,
            'The connections to kill are not named.',
            'Send filter=TEXT, or all=true.',
          )
        return { body: { killed: observer.connections.killAll(filter) } satisfies Killed }
      },
    ],
    [
      'PUT /api/faults',
      async ({ request }) => {
        const shapes = { 'listener?': 'whole', faults: 'texts' } as const
        await faults.put(checked<FaultsWanted>(await readJson(request), shapes))
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

const benching = ({ benches }: Parts): Rows => [
  ['GET /api/benches', () => ({ body: benches.list() })],
  [
    'POST /api/benches',
    async ({ request }) => {
      const wanted = checked<BenchWanted>(await readJson(request), {
        address: 'text',
        'connections?': 'whole',
        'sizeBytes?': 'whole',
        'ratePerSecond?': 'number',
        'durationMs?': 'number',
      })
      return { status: 201, body: benches.start(wanted) }
    },
  ],
  [
    'GET /api/benches/compare',
    ({ query }) => {
      const { a, b } = checkedQuery<{ a: string; b: string }>(query, { a: 'text', b: 'text' })
      return { body: benches.compare(a, b), type: text }
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
