/**
 * A part of a load: every step-th of all connections, from the first on. So parts of parts are
 * parts, and each is as long as the others, or by one shorter.
 */
export interface Part {
  first: number
  step: number
}

/** One of `of` parts of a part; without it, of all. */
export const partOf = (n: number, of: number, { first, step }: Part = whole): Part => ({
  first: first + n * step,
  step: step * of,
})

export const whole: Part = { first: 0, step: 1 }

/** How many of so many things belong to a part. */
export const sizeOf = ({ first, step }: Part, all: number): number =>
  Math.max(0, Math.ceil((all - first) / step))

/** Of things that are taken in turns, `turn` in each: how many of the first are its own. */
export const ownBefore = (part: Part, turn: number, count: number): number =>
  count === Infinity
    ? Infinity
    : Math.floor(count / turn) * sizeOf(part, turn) + sizeOf(part, count % turn)
