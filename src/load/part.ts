/** How a load is divided: into threads, and into the slices of several machines. */
import { usageError } from '../vocabulary/errors.ts'
import { formatCount } from '../vocabulary/units.ts'

/**
 * A part of a load: every step-th of all connections, from the first on. So a part of a part is a
 * part, too, and the sizes of parts differ by one at most.
 */
export interface Part {
  first: number
  step: number
}

/** Part `n` of `of` parts of a part; without a part, of the whole load. */
export const partOf = (n: number, of: number, { first, step }: Part = whole): Part => ({
  first: first + n * step,
  step: step * of,
})

export const whole: Part = { first: 0, step: 1 }

/** How many of `all` things belong to a part. */
export const sizeOf = ({ first, step }: Part, all: number): number =>
  Math.max(0, Math.ceil((all - first) / step))

/**
 * How many of the first `count` things belong to this part, if the parts take turns with `turn`
 * things each.
 */
export const ownBefore = (part: Part, turn: number, count: number): number =>
  count === Infinity
    ? Infinity
    : Math.floor(count / turn) * sizeOf(part, turn) + sizeOf(part, count % turn)

/** The slice of a load that one machine sends: `2/5`, the second of five. */
export interface Slice {
  number: number
  of: number
}

export const slicesMax = 10_000

/** @throws UserError if the text is not a slice */
export function parseSlice(text: string): Slice {
  const [, number, of] = (/^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []).map(Number)
  if (number === undefined || of === undefined)
    throw usageError(`'${text}' is not a slice.`, "Write for example '2/5': the second of five.")
  if (of < 1 || of > slicesMax || number < 1 || number > of)
    throw usageError(
      `There is no slice ${text}.`,
      `Slices are numbered from 1 on, and there are ${formatCount(slicesMax)} at most.`,
    )
  return { number, of }
}

/** The number of a connection in the whole load. Idle connections are numbered separately. */
export const numberOf = (
  task: { firstConnection: number; connectionStep: number; connections: number },
  index: number,
): number => {
  const { firstConnection, connectionStep, connections } = task
  return firstConnection + (index < connections ? index : index - connections) * connectionStep
}

/** The connections of a slice; without a slice, all connections. */
export const partOfSlice = (text: string | undefined): Part => {
  if (text === undefined) return whole
  const { number, of } = parseSlice(text)
  return partOf(number - 1, of)
}
