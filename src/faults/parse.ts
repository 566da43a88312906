/** The notation of faults: parses and formats it, and explains mistakes. */
import { usageError, UserError } from '../vocabulary/errors.ts'
import { listed } from '../vocabulary/text.ts'
import { isNumberWithin } from './fault.ts'
import { faultKinds, faultKindOf, type FaultSpec } from './index.ts'
import { partsOf, textOf } from './text.ts'

const kinds = `The kinds are ${listed(faultKinds)}.`

/**
 * `delay=50ms`, `reset=1000:10%` → the fault.
 * @throws UserError if it makes no sense
 */
export function parseFault(text: string): FaultSpec {
  const { kind: name, value, percent } = partsOf(text)
  const kind = faultKindOf(name)
  if (!kind) throw usageError(`'${name}' is not a fault.`, kinds)
  try {
    if (value === '') throw usageError('There is no value after the =.')
    const spec = kind.parse(value ?? '')
    const whole = percent === undefined ? spec : { ...spec, percent: Number(percent) }
    checkFault(whole)
    return whole
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const missing = value === undefined && `${name} needs a value.`
    throw usageError(missing || error.message, `Write for example ${kind.example}.`)
  }
}

/** The inverse: the text that can be typed. */
export function formatFault(spec: FaultSpec): string {
  const { kind, percent } = spec
  const value = faultKindOf(kind)!.format(spec)
  return textOf({ kind, value, percent: percent === undefined ? undefined : String(percent) })
}

/** Several faults as a part of a sentence. */
export const faultsText = (specs: readonly FaultSpec[]): string =>
  specs.map(formatFault).join(' ') || 'no faults'

/** @throws UserError if it makes no sense */
export function checkFault(spec: FaultSpec): void {
  const kind = faultKindOf(spec.kind)
  if (!kind) throw usageError(`'${spec.kind}' is not a fault.`, kinds)
  const mistake = kind.mistake(spec)
  if (mistake !== undefined) throw usageError(mistake)
  if (spec.percent !== undefined && !isNumberWithin(spec.percent, 0, 100))
    throw usageError('A fault hits between 0% and 100% of the connections.')
}
