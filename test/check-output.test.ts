/** What yodel check prints and saves, how it ends, and docs/check.schema.json against that. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serve, type CheckResult, type Server } from 'yodel'
import { short } from './full.ts'
import { badPath, joins, type BadPath } from './peers/bad-path.ts'
import { portOf } from './program.ts'
import { validatorOf } from './schemas.ts'
import { createTypist } from './typist.ts'

const type = createTypist()
let good: Server
let bad: BadPath
before(async () => {
  good = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  bad = await badPath(portOf(good.url), joins.translatesLines)
})
after(async () => {
  await bad[Symbol.asyncDispose]()
  await good.close('now')
})

const validate = validatorOf('check')
const few = ['--max-connections', '4']

test('a line for each question, then what is not ok, the verdict last; exit 0 and 1', async () => {
  const clean = await type(['check', good.url, ...few, '--only', 'bytes,overload'])
  assert.match(clean.stderr, /^yodel: will use at most \d+ connections, 4 at once, .* sent, /)
  const lines = clean.stdout.trimEnd().split('\n')
  assert.match(lines[0]!, /^check tcp:\S+, blind: what the server saw is not known/)
  assert.match(lines[1]!, /^  bytes +ok +all 256 values/)
  assert.match(clean.stdout, /^  overload +ok +4 connections at once, all served$/m)
  assert.match(lines.at(-1)!, /^verdict  ok: |questions in/)
  assert.equal(clean.code, 0)
  const spoiled = await type(['check', bad.url, ...few, '--only', 'bytes'])
  assert.match(spoiled.stdout, /^bytes fails: line ends: each lone LF became CR LF$/m)
  for (const row of ['seen', 'where', 'effect', 'look at'])
    assert.match(spoiled.stdout, new RegExp(`^  ${row} +\\S`, 'm'))
  assert.match(spoiled.stdout, /^verdict  fails: bytes fails/m)
  assert.equal(spoiled.code, 1)
})

test('--json and --output have the form of the schema, and it can say no', async () => {
  const files = ['json', 'html', 'md', 'xml'].map(ending =>
    join(tmpdir(), `check-${process.pid}.${ending}`),
  )
  const saving = files.flatMap(file => ['--output', file])
  // Every day of what is quick.
  const asked = short(['--skip', 'half-close'], ['--only', 'bytes,overload'])
  const args = ['check', bad.url, ...few, ...asked, '--json', ...saving]
  const { stdout, code } = await type([...args, '--expect', 'overload=ok'])
  const result = JSON.parse(stdout) as CheckResult
  validate(result)
  assert.deepEqual(validate.errors, null)
  assert.equal(code, 1)
  assert.equal(result.verdict, 'fails')
  const [saved, page, summary, junit] = files.map(file => readFileSync(file, 'utf8'))
  assert.deepEqual(JSON.parse(saved!), result)
  for (const said of ['each lone LF became CR LF', 'overload=ok', result.address])
    assert.ok(page!.includes(said), said)
  assert.match(summary!, /^## FAIL: yodel check `tcp:/)
  assert.match(junit!, /name="bytes">\s*<failure message="[^"]*each lone LF became CR LF/)
  for (const file of files) rmSync(file)
  const spoils: ((result: CheckResult) => unknown)[] = [
    result => ((result.format as string) = 'yodel-check-2'),
    result => ((result.verdict as string) = 'maybe'),
    result => ((result.questions[0]!.outcome as string) = 'fine'),
    result => (result.questions[0]!.findings = []),
    result => delete (result.questions[0] as { advice?: unknown }).advice,
    result => ((result.questions[0]!.findings[0]!.side as string) = 'left'),
    result => ((result.cost as { connections: number }).connections = 0.5),
  ]
  for (const spoil of spoils) {
    const spoiled = structuredClone(result)
    spoil(spoiled)
    assert.ok(!validate(spoiled), String(spoil))
  }
})

test('no server there is 3, what makes no sense is 2, in one line each', async () => {
  const gone = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  await gone.close('now')
  for (const [args, code, said] of [
    [[gone.url], 3, /no server listens there/],
    [[good.url, '--only', 'byte'], 2, /'byte' is not a question.* bytes, half-close/],
    [[good.url, '--expect', 'idle'], 2, /'idle' is not an expectation. .*QUESTION=ok/],
    [[good.url, '--output', 'x.csv'], 2, /x.csv does not say what to write. .*\.html, \.json/],
    [[good.url, '--skip', 'overload', '--expect', 'connections>=5'], 2, /needs .* overload/],
    [[good.url, '--max-connections', '0'], 2, /must be a whole number from 1/],
  ] as [string[], number, RegExp][]) {
    const typed = await type(['check', ...args])
    assert.match(typed.stderr, said)
    assert.equal(typed.code, code, typed.stderr)
    assert.equal(typed.stderr.trimEnd().split('\n').at(-1)!.startsWith('yodel: '), true)
  }
})
