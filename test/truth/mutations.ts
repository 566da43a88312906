/**
 * npm run truth:mutations: breaks the accounting in a copy of the tree, one place at a time. The
 * daily tests have to fail each time; exit code 1 if they pass once.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program, root } from '../program.ts'
import { mistakes } from './mistakes.ts'

const copy = mkdtempSync(join(tmpdir(), 'yodel-mutation-'))
/**
 * Every short trial; and all runs count, however noisy: else those of a busy machine would not.
 * What a test leaves behind when it is ended goes with the copy.
 */
const env = { FULL: '1', QUIET_SHARE: '1', TMPDIR: copy }

let running: Program | undefined
process.once('exit', () => {
  running?.endNow()
  rmSync(copy, { recursive: true })
})
// Its tests are a group of their own, so a Ctrl-C at the terminal does not reach them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
for (const name of ['src', 'test', 'benchmarks', 'examples', 'page', 'dist', 'build'])
  cpSync(join(root, name), join(copy, name), { recursive: true })
for (const name of ['package.json', 'tsconfig.json', 'tsconfig.base.json'])
  cpSync(join(root, name), join(copy, name))
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

/** With what it says, so that one sees whether that is the reason. */
const failure = /^ *not ok \d+ - [^]*?\n +error: .*$(?:\n +[^:]*$)*/m

/** The first test that fails with the tree as it is; undefined if all pass. */
async function firstFailure(): Promise<string | undefined> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const built = spawnSync(process.execPath, [compiler, '-b', 'src'], { cwd: copy })
  if (built.status !== 0) throw new Error(`It does not compile: ${built.stdout.toString()}`)
  for (const name of ['truth', 'deaths']) {
    const file = join('build', 'test', 'truth', `${name}.test.js`)
    // What follows the first failure would tell nothing more; with it end its servers and tcpdump.
    await using program = new Program(process.execPath, [file], 'ignore', {
      forks: true,
      cwd: copy,
      env,
    })
    running = program
    const ended = program.finished.then(({ code }) => code !== 0 && `${name} ended with ${code}`)
    const failed = await program.says(failure).then(
      ([said]) => said,
      () => ended,
    )
    if (failed) return failed
  }
  return undefined
}

/** Noise may spoil a run or two. */
let sound: string | undefined = 'not run'
for (let attempt = 0; attempt < 3 && sound !== undefined; attempt++) sound = await firstFailure()
if (sound !== undefined) {
  console.log(`The suite fails as it is: ${sound}`)
  process.exit(1)
}
const wanted = process.argv.slice(2).map(Number)
let survived = 0
for (const [n, { what, file, from, to }] of mistakes.entries()) {
  if (wanted.length > 0 && !wanted.includes(n)) continue
  const path = join(copy, 'src', file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} has not one place with: ${from}`)
  writeFileSync(path, text.replace(from, to))
  const caught = await firstFailure()
  writeFileSync(path, text)
  if (caught === undefined) survived++
  console.log(`${n}. ${what}: ${caught === undefined ? 'SURVIVED' : `caught\n${caught}`}`)
}
console.log(survived === 0 ? 'All were caught.' : `${survived} survived.`)
process.exitCode = survived === 0 ? 0 : 1
