/** The real `yodel compare`, on results that were measured and saved. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bench, serve } from 'yodel'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-compare-'))
const files = ['before.json', 'after.json'].map(name => join(folder, name))
const [baseline, other] = files as [string, string]

before(async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const options = { durationMs: 150, warmupMs: 20, ratePerSecond: 500 }
  for (const file of files) {
    const result = await bench(server.address, options).finished
    writeFileSync(file, JSON.stringify(result))
  }
})
after(() => rmSync(folder, { recursive: true }))

const typed = createTypist()
const compare = (...args: string[]) => typed(['compare', ...args])

test('measured results are compared, and a condition that holds is exit code 1', async () => {
  const runs = await Promise.all([
    compare(baseline, other),
    compare(baseline, other, '--fail-if', 'p80>1us', '--fail-if', 'rate<-99%'),
    compare(baseline, other, '--json', '--fail-if', 'p80>+100000000%'),
  ])
  const [plain, failed, json] = runs
  assert.deepEqual(
    runs.map(({ code }) => code),
    [0, 1, 0],
    runs.map(({ stderr }) => stderr).join(),
  )
  assert.match(plain.stdout, /baseline +this +change\n +rate +[\d.,]+\/s +[\d.,]+\/s/)
  assert.match(plain.stdout, /No intervals/)
  assert.match(failed.stdout, /FAILED.*\n +p80>1us/)
  assert.doesNotMatch(failed.stdout, /rate<-99%/)
  const document = JSON.parse(json.stdout) as Record<string, unknown>
  assert.deepEqual([document.format, document.verdict], ['yodel-compare-1', 'pass'])
})

test('what cannot be read or makes no sense is one line and exit code 2', async () => {
  const missing = join(folder, 'missing.json')
  const runs = await Promise.all([
    compare(baseline, missing),
    compare(baseline, folder),
    compare(baseline, 'package.json'),
    compare(baseline),
    compare(baseline, other, '--fail-if', 'p99>10%'),
  ])
  const expected = [/no such file/, /a folder/, /no result of yodel/, /files/, /sign.*p99>\+10%/]
  for (const [index, { code, stdout, stderr }] of runs.entries()) {
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, expected[index]!)
    assert.equal(stderr.trimEnd().split('\n').length, 1)
  }
})
