/** Runs the tests: all, or those whose file name contains one of the arguments. */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
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

// A test that hangs is a failure; the limit is far above what any test takes.
// Many wait more than they compute.
const concurrency = availableParallelism() + 1
const tests = run({ files: files.toSorted(), concurrency, timeout: 120_000 })
tests.on('test:fail', () => (process.exitCode = 1))
await finished(tests.compose(new spec()).pipe(process.stdout, { end: false }), {
  readable: false,
}).catch(() => {})
