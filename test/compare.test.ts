/** The real `yodel compare`, on results that were measured and saved. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bench, serve, type RunResult } from 'yodel'
import { full } from './full.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-compare-'))
const files = ['before.json', 'after.json'].map(name => join(folder, name))
const [baseline, other] = files as [string, string]

before(async () => {
  // With a delay the generator has time to spare, however busy the machine is.
  await using server = await serve(':0', { engine: 'node', faults: [{ kind: 'delay', ms: 1 }] })
  const options = { count: 60, warmupMs: 0 }
  /** A busy machine may hold up the generator itself, but not again and again. */
  const measure = async (triesMax = 20): Promise<RunResult> => {
    const result = await bench(server.address, options).finished
    return result.valid || triesMax === 1 ? result : measure(triesMax - 1)
  }
  let result = await measure()
  for (const file of files) {
    writeFileSync(file, JSON.stringify(result))
    if (full) result = await measure()
  }
})
after(() => rmSync(folder, { recursive: true }))

const typed = createTypist()
const compare = (...args: string[]) => typed(['compare', ...args])

test('measured results are shown side by side, and a value that holds is exit code 1', async () => {
  const runs = await Promise.all([
    compare(baseline, other),
    compare(baseline, other, '--fail-if', 'p80>1us', '--fail-if', 'rate<1/s'),
    compare(baseline, other, '--json', '--fail-if', 'p80>10h'),
  ])
  const [plain, failed, json] = runs
  assert.deepEqual(
    runs.map(({ code }) => code),
    [0, 1, 0],
    runs.map(({ stderr }) => stderr).join(),
  )
  assert.match(plain.stdout, /baseline +this +change\nrate +[\d.,]+\/s +[\d.,]+\/s/)
  assert.match(plain.stdout, /No claim: /)
  assert.match(failed.stdout, /FAILED.*\n +p80>1us/)
  assert.doesNotMatch(failed.stdout, /rate<1/)
  const document = JSON.parse(json.stdout) as Record<string, unknown>
  assert.deepEqual([document.format, document.verdict], ['yodel-compare-2', 'pass'])
})

test('what is unlike, not valid or failed is shown, and never exit code 0', async () => {
  const saved = JSON.parse(readFileSync(other, 'utf8')) as RunResult
  const spoiled: [string, Partial<RunResult>][] = [
    ['unlike.json', { run: { ...saved.run, engine: 'another' } }],
    ['invalid.json', { valid: false, invalidBecause: ['The generator was the limit.'] }],
    ['failed.json', { verdict: 'fail', failedBecause: ['3 messages did not come back.'] }],
  ]
  const paths = spoiled.map(([name, change]) => {
    const path = join(folder, name)
    writeFileSync(path, JSON.stringify({ ...saved, ...change }))
    return path
  })
  const failed = paths.at(-1)!
  const runs = await Promise.all([
    ...paths.map(path => compare(baseline, path)),
    compare(failed, baseline),
  ])
  assert.deepEqual(
    runs.map(({ code }) => code),
    [2, 4, 1, 1],
  )
  assert.match(runs[3]!.stdout, /^FAIL: \S+failed\.json\s+failed: 3\s+messages/)
  for (const { stdout } of runs) assert.match(stdout, /rate[^]*WARNING/)
})

test('what cannot be read or makes no sense is one line and exit code 2', async () => {
  const missing = join(folder, 'missing.json')
  const runs = await Promise.all([
    compare(baseline, missing),
    compare(baseline, folder),
    compare(baseline, 'package.json'),
    compare(baseline),
    compare(baseline, other, '--fail-if', 'p99>10%'),
    compare(baseline, other, '--fail-if', 'p99>+10%'),
  ])
  const expected = [/no such file/, /a folder/, /not a result of yodel/, /nothing to compare/]
  expected.push(/sign.*p99>\+10%/, /needs a claim.*--against/)
  for (const [index, { code, stdout, stderr }] of runs.entries()) {
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, expected[index]!)
    assert.equal(stderr.trimEnd().split('\n').length, 1)
  }
})
