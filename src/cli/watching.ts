/** Flags of the server that concern who watches it: the dashboard, and the log. */
import { Option } from 'commander'
import type { HostAddress } from '../address.ts'
import { usageError } from '../errors.ts'
import { logLevels, type LogLevel } from './log.ts'
import { parseDashboard } from './watch.ts'

interface Flags {
  dashboard?: string | true
  dashboardToken?: string
  dashboardBenchAnywhere?: true
  logLevel?: LogLevel
  quiet?: true
}

/** What they say. */
export interface Watching {
  /** Where the dashboard is wanted; undefined: not at all. */
  dashboard: HostAddress | undefined
  token: string | undefined
  benchAnywhere: boolean
  logLevel: LogLevel | undefined
  quiet: boolean
}

export const watchingOptions = (): Option[] => [
  new Option('--dashboard [address]', 'a page, an API and metrics (http://127.0.0.1:7070)'),
  new Option('--dashboard-token <text>', 'whoever asks the dashboard must know it'),
  new Option('--dashboard-bench-anywhere', 'let its page load other addresses than its own'),
  new Option('--log-level <level>', 'a log on stderr instead of sentences').choices(logLevels),
  new Option('--quiet', 'nothing on stderr but errors').conflicts('logLevel'),
]

/** What they say; and the other flags. */
export function watchingOf<F extends object>(flags: F): { watching: Watching; rest: F } {
  const { dashboard, dashboardToken, dashboardBenchAnywhere, logLevel, quiet, ...rest } =
    flags as F & Flags
  const alone = dashboardToken !== undefined ? 'token' : dashboardBenchAnywhere && 'bench-anywhere'
  if (dashboard === undefined && alone)
    throw usageError(`--dashboard-${alone} does nothing without --dashboard.`, 'Add --dashboard.')
  const watching: Watching = {
    dashboard: dashboard === undefined ? undefined : parseDashboard(dashboard),
    token: dashboardToken,
    benchAnywhere: dashboardBenchAnywhere === true,
    logLevel,
    quiet: quiet === true,
  }
  return { watching, rest: rest as unknown as F }
}
