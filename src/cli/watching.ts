/** Flags of the server that concern who watches it: the dashboard, and the log. */
import { Option } from 'commander'
import type { HostAddress } from '../address.ts'
import { usageError } from '../errors.ts'
import { fileContent } from './flags.ts'
import { logLevels, type LogLevel } from './log.ts'
import { givenToken } from './token.ts'
import { parseWebAddress } from './watch.ts'

interface Flags {
  dashboard?: string | true
  dashboardTokenFile?: string
  dashboardBenchAnywhere?: true
  metricsOpen?: true
  health?: string
  logLevel?: LogLevel
  quiet?: true
}

/** What they say. */
export interface Watching {
  /** Where the dashboard is wanted; undefined: not at all. */
  dashboard: HostAddress | undefined
  token: string | undefined
  benchAnywhere: boolean
  metricsOpen: boolean
  /** Where the probes and the metrics are wanted besides; undefined: nowhere. */
  health: HostAddress | undefined
  logLevel: LogLevel | undefined
  quiet: boolean
}

export const watchingOptions = (): Option[] => [
  new Option('--dashboard [address]', 'a page, an API and metrics (http://127.0.0.1:7070)'),
  new Option(
    '--dashboard-token-file <file>',
    'who asks must know what is in it ($YODEL_TOKEN)',
  ).argParser(fileContent),
  new Option('--dashboard-bench-anywhere', 'let its page load other addresses than its own'),
  new Option('--metrics-open', 'anybody may ask the dashboard for /metrics'),
  new Option('--health <address>', '/healthz, /readyz and /metrics there, for anybody'),
  new Option('--log-level <level>', 'a log on stderr instead of sentences').choices(logLevels),
  new Option('--quiet', 'nothing on stderr but errors').conflicts('logLevel'),
]

/** What they say; and the other flags. */
export function watchingOf<F extends object>(flags: F): { watching: Watching; rest: F } {
  const { dashboard, dashboardTokenFile, dashboardBenchAnywhere, metricsOpen, ...others } =
    flags as F & Flags
  const { health, logLevel, quiet, ...rest } = others
  const alone =
    (dashboardTokenFile !== undefined && '--dashboard-token-file') ||
    (dashboardBenchAnywhere && '--dashboard-bench-anywhere') ||
    (metricsOpen && '--metrics-open')
  if (dashboard === undefined && alone)
    throw usageError(`${alone} does nothing without --dashboard.`, 'Add --dashboard.')
  const watching: Watching = {
    dashboard: dashboard === undefined ? undefined : parseWebAddress(dashboard, 'the dashboard'),
    token: dashboard === undefined ? undefined : givenToken(dashboardTokenFile),
    benchAnywhere: dashboardBenchAnywhere === true,
    metricsOpen: metricsOpen === true,
    health: health === undefined ? undefined : parseWebAddress(health, 'what --health is for'),
    logLevel,
    quiet: quiet === true,
  }
  return { watching, rest: rest as unknown as F }
}
