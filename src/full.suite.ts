/** The two forms of a unit test, as test/full.ts has them for the others. */

const full = process.env['FULL'] === '1'

/** The figure that a test uses: the full one, or a smaller one that shows the same. */
export const short = <T>(fullValue: T, shortValue: T): T => (full ? fullValue : shortValue)

/** For `skip`, with the words that the runner counts. */
export const onlyFull = !full && 'only in the full form: npm run test:full'
