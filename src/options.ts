/** Options and their defaults. */

/** Node's timers go no further: a longer one would end at once. It is almost 25 days. */
export const timerMaxMs = 2 ** 31 - 1

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** The options where they are given, the defaults elsewhere; `undefined` means not given. */
export function withDefaults<D extends object, O extends object>(defaults: D, options: O) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) } as Omit<D, keyof O> & Defined<O & D>
}
