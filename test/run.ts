/**
 * Runs the tests: all, or those whose file name contains one of the arguments. `--full` and
 * `--campaign` are read by ./full. `--times` tells what each test took of the processors.
 */
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { isOnlyInFull } from './daily.js'
import { full, onlyFull, short } from './full.js'
import { deal } from './hands.js'
import { tell as tellOfTimes } from './times.js'

const folder = join('build', 'test', 'together')
mkdirSync(folder, { recursive: true })
if (process.argv.includes('--times')) process.env['TIMES'] = join(folder, `${process.pid}.times`)

const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'))
const all = ['dist', 'build'].flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.js'))
    // With slashes, as in an import.
    .map(name => join(folder, name).replaceAll(sep, '/'))
    .filter(hasSource)
    .filter(file => wanted.length === 0 || wanted.some(word => file.includes(word))),
)
/** What is asked for by its name is run in any form. */
const leftTo = full || wanted.length > 0 ? [] : all.filter(isOnlyInFull)
const files = all.filter(file => !leftTo.includes(file))
if (files.length === 0) throw new Error(`No test file has ${wanted.join(' or ')} in its name.`)

/** They use up or measure what the system has of memory, and others would feel it. */
const alone = files.filter(file => file.includes('limits') || (full && file.includes('crowds')))
/** What these measure others would disturb; in its full form the lab, too, judges by time. */
const quiet = files.filter(
  file => file.endsWith('truth.test.js') || (full && file.endsWith('lab/check.test.js')),
)
const parallel = files.filter(file => !alone.includes(file) && !quiet.includes(file))
const units = parallel.filter(file => file.startsWith('dist'))
const sizeable = parallel.filter(file => !units.includes(file))

/** Many wait more than they compute. In CI the full form gets more room. */
const atOnce = availableParallelism() + (process.env['CI'] ? short(0, 3) : 3)
/**
 * A process of its own costs many a file more than it does, so each process takes several. In the
 * full form each has its own: what runs for minutes must not hold up, or end, what follows it.
 */
const hands = full ? sizeable.length : Math.min(atOnce, sizeable.length)
/** Those of units compute from the first to the last: theirs begins with the others. */
const groups = [units, ...deal(sizeable, hands)].filter(group => group.length > 0)

const beginning = `import { writeFileSync } from 'node:fs'
import { after } from 'node:test'
import { watch } from '../times.js'
const loaded = watch()
`
/**
 * What a test that failed has left open must not keep its process, and so all other tests. This
 * stands behind the last file: before the first it would be called when the tests of the files so
 * far have ended, and no more files would be loaded.
 */
const ending = `writeFileSync(import.meta.filename + '.whole', '')
after(() => void setTimeout(() => process.exit(), 5_000).unref())
`

let leftOut = 0
const lasted = new Map<string, number>()
const failed = new Set<string>()
const filesOf = new Map<string, string[]>()
const fileOf = new Map<string, string>()
process.once('exit', () =>
  [...filesOf.keys()].forEach(file => {
    for (const each of [file, `${file}.whole`]) rmSync(each, { force: true })
  }),
)
await report(groups.map(together), full ? atOnce : groups.length)
// In their short form there is room for two of them.
await report(
  alone.map(file => together([file])),
  short(1, 2),
)
await report(
  quiet.map(file => together([file])),
  1,
)
if (failed.size > 0) await onceMore([...failed])
tellOfTimes(test => fileOf.get(test) ?? '')
if (full) tellOfSlowest()
else tellOfFullForm()

/** Whether it is compiled from a source that is there: a build leaves what it once compiled. */
function hasSource(file: string): boolean {
  return existsSync(
    file
      .replace(/^dist/, 'src')
      .replace(/^build\//, '')
      .replace(/js$/, 'ts'),
  )
}

/**
 * In CI what failed beside other tests has a second try, alone, and that decides: a machine that is
 * busy with the others can be late once. Outside CI a failure is shown at once.
 */
async function onceMore(files: string[]) {
  process.exitCode = 1
  if (!process.env['CI']) return
  console.log(`Failed beside others, so once more, each alone: ${files.join(', ')}.`)
  failed.clear()
  await report(files, 1)
  process.exitCode = failed.size > 0 ? 1 : 0
}

/** A file that runs these, one after the other. */
function together(group: string[]): string {
  const file = join(folder, `${process.pid}-${filesOf.size}.js`)
  filesOf.set(resolve(file), group)
  const imports = group.map(each => `await import('../../../${each}')\nloaded('${each}')\n`)
  writeFileSync(file, beginning + imports.join('') + ending)
  return file
}

async function report(files: string[], concurrency: number) {
  if (files.length === 0) return
  // A test that hangs is a failure; the limit is far above what all tests of a process take.
  const tests = run({ files, concurrency, timeout: short(1_200_000, 600_000) })
  tests.on('test:fail', ({ file = '' }) => {
    const own = filesOf.get(file) ?? [relative('.', file)]
    own.forEach(each => failed.add(each))
  })
  tests.on('test:pass', ({ name, skip, file = '', nesting, details }) => {
    fileOf.set(name, basename(file).replace('.test.js', ''))
    leftOut += Number(skip === onlyFull)
    if (nesting === 0) lasted.set(file, (lasted.get(file) ?? 0) + details.duration_ms)
  })
  const shown = tests.compose(new spec())
  shown.pipe(process.stdout, { end: false })
  await once(shown, 'end')
  for (const file of files) {
    const group = filesOf.get(resolve(file)) ?? []
    if (group.length === 0 || existsSync(`${resolve(file)}.whole`)) continue
    console.log(`A process ended before it had loaded all of these: ${group.join(', ')}.`)
    group.forEach(each => failed.add(each))
  }
}

/** Where the time of the full form goes. */
function tellOfSlowest() {
  const slowest = [...lasted].toSorted(([, a], [, b]) => b - a).slice(0, 10)
  const each = slowest.map(
    ([file, ms]) => `${basename(file).replace('.test.js', '')} ${Math.round(ms / 1000)} s`,
  )
  console.log(`The slowest files: ${each.join(', ')}.`)
}

/** What this run was not. */
function tellOfFullForm() {
  const shortened = [...new Set(files.flatMap(file => withForms(file)))]
  if (shortened.length === 0) return
  const names = shortened.map(file => basename(file).replace(/\.test\.js$|\.js$/, ''))
  console.log(
    `${leftTo.length} files and ${leftOut} tests were left out, and others were shorter than ` +
      `they can be, in ${names.join(', ')}: npm run test:full runs all of everything.`,
  )
}

/** The file, or the suite that it runs, if it asks for the form. */
function withForms(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const suites = [...text.matchAll(/'\.\/([\w-]+\.suite\.js)'/g)].map(([, name]) => name!)
  const found = suites.flatMap(name => withForms(join(dirname(file), name)))
  return /'\.\.?\/full\.js'/.test(text) ? [file, ...found] : found
}
