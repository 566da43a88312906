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

/** They use up what the system has of socket memory, and others would feel it. */
const alone = files.filter(file => /limits|soak/.test(file))
const together = files.filter(file => !alone.includes(file))

/** Many wait more than they compute. */
await report(together, availableParallelism() + 2)
await report(alone, 1)

async function report(files: string[], concurrency: number) {
  if (files.length === 0) return
  // A test that hangs is a failure; the limit is far above what any test takes.
  const tests = run({ files: files.toSorted(), concurrency, timeout: 120_000 })
  tests.on('test:fail', () => (process.exitCode = 1))
  const shown = tests.compose(new spec())
  shown.pipe(process.stdout, { end: false })
  await once(shown, 'end')
}
