/** A script of faults: which are in force when. */
import type { Address } from '../vocabulary/address.ts'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { parseDuration } from '../vocabulary/units.ts'
import { isNumberWithin } from './fault.ts'
import type { FaultSpec } from './index.ts'
import { parseFault } from './parse.ts'
import { checkFaults } from './applicable.ts'

/** A step of a script. If several steps overlap, the one that began last counts. */
export interface FaultStep {
  /** When it comes into force, counted from when the server began to serve. */
  atMs: number
  faults: readonly FaultSpec[]
  /**
   * How long the step lasts; then the faults from before are in force again. Undefined: for ever.
   */
  forMs?: number | undefined
  /** The step begins again after this time, repeatedly; longer than `forMs`. */
  everyMs?: number | undefined
}

export type FaultScript = readonly FaultStep[]

/** The shortest `everyMs`. */
const everyMinMs = 10

/** @throws UserError if it is not valid, or does not apply to this transport */
export function checkScript(script: FaultScript, address: Address): void {
  for (const [index, step] of script.entries()) {
    const mistake = mistakeOf(step)
    if (mistake !== undefined) throw usageError(`Step ${index + 1} of the fault script ${mistake}`)
    try {
      checkFaults(step.faults, address)
    } catch (error) {
      throw inStep(index, error)
    }
  }
}

function mistakeOf({ atMs, forMs, everyMs }: FaultStep): string | undefined {
  if (!isNumberWithin(atMs, 0)) return 'must begin 0 ms or more after the start.'
  if (forMs !== undefined && !(isNumberWithin(forMs, 0) && forMs > 0))
    return 'must last more than 0 ms.'
  if (everyMs === undefined) return undefined
  if (forMs === undefined) return 'repeats, and so needs `for`: how long it lasts each time.'
  if (!isNumberWithin(everyMs, everyMinMs))
    return `repeats too often: every ${everyMinMs} ms at most.`
  return everyMs > forMs ? undefined : 'repeats before it is over.'
}

function inStep(index: number, error: unknown): unknown {
  if (!(error instanceof UserError)) return error
  return usageError(`Step ${index + 1} of the fault script: ${error.message}`, error.hint)
}

/** When a step last began, at an instant or before it; undefined if it has not begun. */
function beginOf({ atMs, everyMs }: FaultStep, nowMs: number): number | undefined {
  if (nowMs < atMs) return undefined
  return everyMs === undefined ? atMs : atMs + Math.floor((nowMs - atMs) / everyMs) * everyMs
}

/** The step in force at an instant; undefined: the faults of the start are in force. */
export function stepAt(script: FaultScript, nowMs: number): FaultStep | undefined {
  let latest = -1
  let found: FaultStep | undefined
  for (const step of script) {
    const begin = beginOf(step, nowMs)
    if (begin === undefined || begin < latest || nowMs >= begin + (step.forMs ?? Infinity)) continue
    latest = begin
    found = step
  }
  return found
}

/** When a step begins or ends next, after that instant; Infinity if none does. */
export function nextChangeMs(script: FaultScript, nowMs: number): number {
  const changes = script.flatMap(step => {
    const begin = beginOf(step, nowMs)
    if (begin === undefined) return [step.atMs]
    return [begin + (step.forMs ?? Infinity), begin + (step.everyMs ?? Infinity)]
  })
  return Math.min(Infinity, ...changes.filter(change => change > nowMs))
}

const form = 'Write for example [{"at": "10s", "faults": ["hang"], "for": "5s", "every": "1m"}].'
const fields = new Set(['at', 'faults', 'for', 'every'])

/**
 * Parses a script from a file (JSON); call checkScript() afterwards.
 * @throws UserError if the text is not a script
 */
export function parseFaultScript(text: string): FaultStep[] {
  let steps: unknown
  try {
    steps = JSON.parse(text)
  } catch (error) {
    throw usageError(`The fault script is not JSON: ${(error as Error).message}.`, form)
  }
  if (!Array.isArray(steps) || steps.length === 0)
    throw usageError('A fault script is a list of steps, with one at least.', form)
  return steps.map((step: unknown, index) => {
    try {
      return parseStep(step)
    } catch (error) {
      throw inStep(index, error)
    }
  })
}

function parseStep(step: unknown): FaultStep {
  if (typeof step !== 'object' || step === null || Array.isArray(step))
    throw usageError('It is not an object.', form)
  const unknown = Object.keys(step).find(name => !fields.has(name))
  if (unknown !== undefined) throw usageError(`'${unknown}' is unknown.`, form)
  const { at, faults, for: lasts, every } = step as Record<string, unknown>
  if (at === undefined || faults === undefined)
    throw usageError(`It needs 'at' and 'faults'.`, form)
  if (!Array.isArray(faults) || !faults.every(fault => typeof fault === 'string'))
    throw usageError(`'faults' is not a list of texts.`, form)
  return {
    atMs: parseTime(at),
    faults: faults.map(parseFault),
    forMs: lasts === undefined ? undefined : parseTime(lasts),
    everyMs: every === undefined ? undefined : parseTime(every),
  }
}

function parseTime(value: unknown): number {
  if (typeof value === 'string') return parseDuration(value)
  throw usageError(`${JSON.stringify(value)} is not a duration.`, form)
}
