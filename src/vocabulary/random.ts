/** Pseudo-random numbers as functions of their place: the same seed gives the same run. */

/** A permutation of the 32-bit numbers in which each input bit changes half of the output bits. */
export function mix(value: number): number {
  let mixed = value >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
