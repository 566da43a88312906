/** An assignment as an agent reads it. It comes from elsewhere, so only known keys are read. */
import { prepareBench } from '../bench.ts'
import { benchOptions, type BenchOptions } from '../load/options.ts'
import { partOfSlice, sizeOf } from '../load/part.ts'
import { stagesOf } from '../load/stages.ts'
import type { AskedLoad } from './allow.ts'
import type { Assignment } from './messages.ts'
import { usageError } from '../vocabulary/errors.ts'

/** Options that differ between the assignments of a load. */
const own = new Set(['slice', 'startAt', 'agents'])

/** The options as they are sent to an agent; those that are not given are left out. */
export function sentOptions(options: BenchOptions): BenchOptions {
  const entries = Object.entries(options).filter(
    ([name, value]) => Object.hasOwn(benchOptions, name) && !own.has(name) && value !== undefined,
  )
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as BenchOptions
}

/** The inverse of sentOptions(). JSON has null in place of Infinity. */
export function optionsOfAssignment({ options }: Pick<Assignment, 'options'>): BenchOptions {
  const entries = Object.entries(options)
    .filter(([name]) => Object.hasOwn(benchOptions, name) && !own.has(name))
    .map(([name, value]) => [name, value === null ? Infinity : (value as unknown)])
  return Object.fromEntries(entries) as BenchOptions
}

/**
 * Refuses a proxy, which would be a way around --allow, and source addresses, which belong to one
 * machine.
 * @throws UserError
 */
export function refuseRoute({ calling }: BenchOptions): void {
  if (calling?.proxy !== undefined)
    throw usageError('Agents do not connect through a proxy.', 'Leave --proxy or --agents out.')
  if (calling?.source !== undefined)
    throw usageError('A source is an address of one machine.', 'Leave --source or --agents out.')
  if (calling?.socket?.interface !== undefined)
    throw usageError('An interface belongs to one machine.', 'Leave --interface or --agents out.')
}

/**
 * The size of the share that an assignment asks for.
 * @throws UserError if its options make no sense
 */
export function shareOfAssignment(assignment: Assignment): AskedLoad {
  const options = optionsOfAssignment(assignment)
  refuseRoute(options)
  const load = prepareBench(assignment.address, options)
  const part = partOfSlice(`${assignment.number}/${assignment.of}`)
  const steady = sizeOf(part, load.connections)
  const rates = stagesOf(load)?.flatMap(({ from, to }) => [from, to])
  const fastest = Math.max(...(rates ?? [load.ratePerSecond ?? Infinity]))
  const messages = load.connections === 0 ? 0 : fastest * (steady / load.connections)
  return {
    address: assignment.address,
    connections: steady + sizeOf(part, load.idle),
    ratePerSecond: messages + load.churnPerSecond / assignment.of,
  }
}
