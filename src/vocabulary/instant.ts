/** Instants of the wall clock, as RFC 3339 writes them. */
import { usageError } from './errors.ts'

const example = "Write for example '2026-11-27T10:00:00Z'."
const form = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?$/

/**
 * Parses an instant into milliseconds since 1970.
 * @throws UserError if the text is not an instant, or has no zone
 */
export function parseInstant(text: string): number {
  const found = form.exec(text)
  const ms = found ? Date.parse(text.toUpperCase().replace(' ', 'T')) : Number.NaN
  if (found && found[7] === undefined)
    throw usageError(
      `'${text}' has no zone, so it is another instant on each machine.`,
      'End it in Z (UTC) or in an offset such as +01:00.',
    )
  if (!found || Number.isNaN(ms) || !isDay(found))
    throw usageError(`'${text}' is not an instant.`, example)
  return ms
}

/** Whether the day exists: Date.parse() takes the 30th of February for the 2nd of March. */
function isDay([, year, month, day]: RegExpExecArray): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  return date.getUTCDate() === Number(day)
}
