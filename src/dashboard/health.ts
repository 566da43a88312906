/**
 * The routes /healthz and /readyz for supervisors, and /metrics for Prometheus. They are routes of
 * the dashboard, and can have an address of their own, which needs no token and has no other
 * routes.
 */
import type { HostAddress } from '../vocabulary/address.ts'
import { MetricsPage } from './metrics.ts'
import type { Observer } from './observer.ts'
import { contentType } from './prometheus.ts'
import type { OperationKey } from './operations.ts'
import type { Readiness } from './readiness.ts'
import type { HandlerReply, Handler } from './handler.ts'
import { answerWith, closeServer, listenForWeb, urlOf } from './server.ts'

const text = 'text/plain; charset=utf-8'

/** The two probes answer with one word, which reveals nothing. */
export const healthRoutes = (
  readiness: Pick<Readiness, 'why'>,
  metrics: () => string,
): [key: OperationKey, route: Handler][] => [
  ['GET /metrics', () => ({ body: metrics(), type: contentType })],
  ['GET /healthz', () => ({ body: 'ok\n', type: text })],
  ['GET /readyz', () => ready(readiness)],
]

const ready = ({ why }: Pick<Readiness, 'why'>): HandlerReply => ({
  status: why === undefined ? 200 : 503,
  body: `${why ?? 'ok'}\n`,
  type: text,
})

export interface HealthOptions {
  address: HostAddress
  readiness: Readiness
  observer: Observer
  onDefect: (error: unknown) => void
}

export interface Health extends AsyncDisposable {
  /** With the port that the system gave. */
  readonly address: HostAddress
  readonly url: string
  close(): Promise<void>
}

/**
 * No token, any Host; a page of another site that asks cannot read the answer.
 * @throws UserError if it cannot listen at the address
 */
export async function startHealth(options: HealthOptions): Promise<Health> {
  const { readiness, observer, onDefect } = options
  const { server, address } = await listenForWeb(options, '--health')
  const metrics = new MetricsPage(observer)
  const access = { check() {}, isProbe: () => true, linkToken: () => undefined }
  const routes = new Map(healthRoutes(readiness, () => metrics.text(0)))
  answerWith(server, { access, routes, onDefect })
  const end = async () => {
    metrics.close()
    await closeServer(server)
  }
  return { address, url: urlOf(address), close: end, [Symbol.asyncDispose]: end }
}
