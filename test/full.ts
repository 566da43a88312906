/** Tests that cost much have two forms: a short one for every day; `npm run test:full` runs all. */

/** An option of the runner, which hands it to its processes: not every shell can set a variable. */
const asked = (option: string) => {
  const variable = option.toUpperCase()
  if (process.argv.includes(`--${option}`)) process.env[variable] = '1'
  return process.env[variable] === '1'
}

export const full = asked('full')

/** What takes many minutes, or a machine of its own, has a command of its own, too. */
export const campaign = asked('campaign')

/** The figure that a test uses: the full one, or a smaller one that shows the same. */
export const short = <T>(fullValue: T, shortValue: T): T => (full ? fullValue : shortValue)

/** For `skip`: of a test whose promise a cheaper one shows as well. The runner counts these. */
export const onlyFull = !full && 'only in the full form: npm run test:full'
