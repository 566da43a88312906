/** Runs the tests: all, or those whose file name contains one of the arguments. */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { full, onlyFull } from './full.js'

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

let leftOut = 0
/** Many wait more than they compute. */
await report(
  parallel.toSorted((a, b) => rank(a) - rank(b)),
  availableParallelism() + 2,
)
await report(alone, 1)
if (!full) tellOfFullForm()

async function report(files: string[], concurrency: number) {
  if (files.length === 0) return
  // A test that hangs is a failure; the limit is far above what any test takes.
  const tests = run({ files, concurrency, timeout: 120_000 })
  tests.on('test:fail', () => (process.exitCode = 1))
  tests.on('test:pass', ({ skip }) => void (leftOut += Number(skip === onlyFull)))
  const shown = tests.compose(new spec())
  shown.pipe(process.stdout, { end: false })
  await once(shown, 'end')
}

/** What this run was not. */
function tellOfFullForm() {
  const shortened = [...new Set(files.flatMap(file => withForms(file)))]
  if (shortened.length === 0) return
  const names = shortened.map(file => basename(file).replace(/\.test\.js$|\.js$/, ''))
  console.log(
    `${leftOut} tests were left out, and others were shorter than they can be, in ` +
      `${names.join(', ')}: npm run test:full runs all of everything.`,
  )
}

/** The file, or the suite that it runs, if it asks for the form. */
function withForms(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const suites = [...text.matchAll(/'\.\/([\w-]+\.suite\.js)'/g)].map(([, name]) => name!)
  const found = suites.flatMap(name => withForms(join(dirname(file), name)))
  return text.includes("'./full.js'") ? [file, ...found] : found
}
