/** Options of the server for single transports, as they were typed. */
import { usageError } from '../vocabulary/errors.ts'
import { fromFlags, type OptionsOf } from '../options/form.ts'
import { serveOptions } from '../options/serve.ts'

/** @throws UserError for flags that do nothing without another one */
export function servingOf(flags: object): OptionsOf<typeof serveOptions> {
  const serving = fromFlags(serveOptions, flags as Record<string, unknown>)
  const { tls = {}, proxy = {} } = serving
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw usageError('--cert and --key belong together.', 'Without both a certificate is made.')
  if (proxy.from && (proxy.mode ?? 'off') === 'off')
    throw usageError('--proxy-from is for --proxy-protocol accept or require.')
  return serving
}
