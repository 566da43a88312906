/** Options for watching a server: dashboard, health probes and log. */
import { parseAddress, type HostAddress } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { fromFlags, option, type Kind } from '../options/form.ts'
import { choice, fileText, whether } from '../options/kinds.ts'
import { logLevels, type LogLevel } from './log.ts'
import { givenToken } from './token.ts'

/** The address of the dashboard, if the flag has none. */
export const usualDashboard: HostAddress = { transport: 'tcp', host: '127.0.0.1', port: 7070 }
const examples = 'Write for example http://127.0.0.1:7070, :7070 or 0.0.0.0:7070.'

export const webAddress = (what: string, placeholder: string): Kind<HostAddress> => ({
  placeholder,
  parse(text) {
    if (text === '') return usualDashboard
    const address = parseAddress(text.replace(/^http:\/\//i, ''))
    if (address.transport === 'tcp') return address
    throw usageError(`'${text}': ${what} speaks plain HTTP, on a port.`, examples)
  },
  format: ({ host, port }) => [`http://${host.includes(':') ? `[${host}]` : host}:${port}`],
  mistake: () => undefined,
})

export const watchOptions = {
  /** The address of the dashboard; undefined if there is none. */
  dashboard: option(webAddress('the dashboard', '[address]'), {
    default: undefined,
    flag: 'dashboard',
    help: 'serve a page, an API and metrics (http://127.0.0.1:7070)',
  }),
  token: option(fileText('TOKEN'), {
    default: undefined,
    flag: 'dashboard-token-file',
    help: 'requests need the token that is in this file ($YODEL_TOKEN)',
  }),
  benchAnywhere: option(whether(), {
    default: false,
    flag: 'dashboard-bench-anywhere',
    help: 'benches from the page may load other addresses, too',
  }),
  metricsOpen: option(whether(), {
    default: false,
    flag: 'metrics-open',
    help: 'the dashboard answers /metrics without a token',
  }),
  /** A second address for the probes and the metrics; undefined if there is none. */
  health: option(webAddress('what --health is for', '<address>'), {
    default: undefined,
    flag: 'health',
    help: 'serve /healthz, /readyz and /metrics at this address, without a token',
  }),
  logLevel: option(choice(logLevels, 'level'), {
    default: undefined,
    flag: 'log-level',
    help: 'write a log with levels to stderr instead of plain messages',
  }),
  quiet: option(whether(), {
    default: false,
    flag: 'quiet',
    help: 'only errors on stderr',
  }),
}

export interface Watching {
  dashboard: HostAddress | undefined
  token: string | undefined
  benchAnywhere: boolean
  metricsOpen: boolean
  health: HostAddress | undefined
  logLevel: LogLevel | undefined
  quiet: boolean
}

/** Options that need --dashboard. */
const ofDashboard = ['token', 'benchAnywhere', 'metricsOpen'] as const

/** @throws UserError for flags that do nothing without another one, or cannot be used together */
export function watchingOf(flags: object): Watching {
  const typed = fromFlags(watchOptions, flags as Record<string, unknown>)
  const { dashboard, token, benchAnywhere = false, metricsOpen = false, health } = typed
  const { logLevel, quiet = false } = typed
  const alone = dashboard ? undefined : ofDashboard.find(name => typed[name] !== undefined)
  if (alone)
    throw usageError(
      `--${watchOptions[alone].flag} does nothing without --dashboard.`,
      'Add --dashboard.',
    )
  if (quiet && logLevel !== undefined)
    throw usageError('--quiet and --log-level cannot be used together.')
  return {
    dashboard,
    token: dashboard && givenToken(token),
    benchAnywhere,
    metricsOpen,
    health,
    logLevel,
    quiet,
  }
}
