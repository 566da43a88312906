/** Runs the tests: all, or those whose file name contains one of the arguments. */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const wanted = process.argv.slice(2)
const files = ['dist', 'build'].flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.js'))
    .map(name => join(folder, name))
    .filter(file => wanted.length === 0 || wanted.some(word => file.includes(word))),
)
if (files.length === 0) throw new Error(`No test file has ${wanted.join(' or ')} in its name.`)

/** It uses up what the system has of socket memory, and others would feel it. */
const alone = files.filter(file => file.includes('limits'))
/** Those without threads: a process of its own would cost each of them more than it does. */
const units = files.filter(file => file.startsWith('dist') && !file.includes('cli'))
process.env['TEST_FILES'] = units.join(' ')
const parallel = files.filter(file => ![...alone, ...units].includes(file))
if (units.length > 0) parallel.push(join('build', 'test', 'together.js'))

/** So that no processor has nothing to do at the end. */
const longestFirst = [
  'soak',
  'page',
  'together',
  'compare-engines',
  'detection',
  'engine-',
  'cli',
  'flood',
]
const rank = (file: string) => {
  const place = longestFirst.findIndex(name => file.includes(name))
  return place < 0 ? longestFirst.length : place
}

/** Many wait more than they compute. */
await report(
  parallel.toSorted((a, b) => rank(a) - rank(b)),
  availableParallelism() + 2,
)
await report(alone, 1)

async function report(files: string[], concurrency: number) {
  if (files.length === 0) return
  // A test that hangs is a failure; the limit is far above what any test takes.
  const tests = run({ files, concurrency, timeout: 120_000 })
  tests.on('test:fail', () => (process.exitCode = 1))
  const shown = tests.compose(new spec())
  shown.pipe(process.stdout, { end: false })
  await once(shown, 'end')
}
