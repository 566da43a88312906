/**
 * npm run truth:mutations: breaks the accounting in a copy of the tree, one place at a time. The
 * daily tests have to fail each time; exit code 1 if they pass once.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../program.ts'
import { mistakes } from './mistakes.ts'

/** Every short trial; and all runs count, however noisy: else those of a busy machine would not. */
const env = { ...process.env, FULL: '1', QUIET_SHARE: '1' }

const copy = mkdtempSync(join(tmpdir(), 'yodel-mutation-'))
process.once('exit', () => rmSync(copy, { recursive: true }))
for (const name of ['src', 'test', 'benchmarks', 'examples', 'page', 'dist', 'build'])
  cpSync(join(root, name), join(copy, name), { recursive: true })
for (const name of ['package.json', 'tsconfig.json', 'tsconfig.base.json'])
  cpSync(join(root, name), join(copy, name))
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

/** The first test that fails with the tree as it is; undefined if all pass. */
async function firstFailure(): Promise<string | undefined> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const built = spawnSync(process.execPath, [compiler, '-b', 'src'], { cwd: copy })
  if (built.status !== 0) throw new Error(`It does not compile: ${built.stdout.toString()}`)
  for (const name of ['truth', 'deaths']) {
    const file = join('build', 'test', 'truth', `${name}.test.js`)
    const program = spawn(process.execPath, [file], {
      cwd: copy,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let said = ''
    let failed: string | undefined
    program.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      // With what it says, so that one sees whether that is the reason.
      failed ??= /^ *not ok \d+ - [^]*?\n +error: .*$(?:\n +[^:]*$)*/m.exec(said)?.[0]
      // More of it would tell nothing more.
      if (failed !== undefined) program.kill()
    })
    const [code] = (await once(program, 'close')) as [number | null]
    if (failed !== undefined || code !== 0) return failed ?? `${name} ended with ${code}`
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
