/** yodel report: from a saved result to a page, and what it refuses. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bench, type RunResult } from 'yodel'
import { listen } from './peers/server.ts'
import { root, yodel } from './program.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-report-'))
const path = (name: string) => join(folder, name)
let result: RunResult

before(async () => {
  await using server = await listen(socket => void socket.pipe(socket))
  result = await bench(server.url, {
    count: 500,
    warmupMs: 10,
    connections: 2,
    threads: 1,
    engine: 'node',
  }).finished
  writeFileSync(path('run.json'), JSON.stringify(result))
})
after(() => rmSync(folder, { recursive: true }))

const typed = createTypist()
const report = (...args: string[]) => typed(['report', ...args])

test('a saved result becomes a page, in place of what was there', async () => {
  writeFileSync(path('run.html'), 'old')
  const { code, stdout, stderr } = await report(path('run.json'), '-o', path('run.html'))
  assert.deepEqual([code, stdout], [0, ''], stderr)
  const page = readFileSync(path('run.html'), 'utf8')
  assert.match(page, /^<!doctype html>/)
  assert.ok(page.includes(result.run.address))
  assert.ok(page.includes(result.messages.received.toLocaleString('en-US')))
  assert.match(page, /<\/html>\s*$/)
})

test('without -o it is text, also from stdin', async () => {
  const { code, stdout, stderr } = await report(path('run.json'))
  assert.equal(code, 0, stderr)
  assert.ok(stdout.includes(result.messages.received.toLocaleString('en-US')), stdout)
  await using program = yodel(['report', '-'], JSON.stringify(result))
  assert.equal((await program.finished).stdout.toString(), stdout)
})

for (const [sample, says] of [
  ['direction', /both directions[^]*up .*arrived, all verified[^]*down /],
  ['direction-udp', /datagrams, 0 lost \(0 %\)/],
  ['loaded', /latency under load both:1[^]*bufferbloat/],
] as const)
  test(`${sample}: what was saved is text and a page, or damaged`, async () => {
    const saved = `${root}fixtures/${sample}.json`
    const { code, stdout, stderr } = await report(saved)
    assert.equal(code, 0, stderr)
    assert.match(stdout, says)
    for (const ending of ['html', 'md', 'xml'])
      assert.equal((await report(saved, '-o', path(`sample.${ending}`))).code, 0)
    assert.match(readFileSync(path('sample.html'), 'utf8'), /<h1>(tcp|udp):/)
    const broken = JSON.parse(readFileSync(saved, 'utf8')) as { flows?: object; up?: object }
    Object.assign(broken.flows ?? broken, { up: { sentBytes: 'many' } })
    writeFileSync(path('broken.json'), JSON.stringify(broken))
    const refused = await report(path('broken.json'))
    assert.equal(refused.code, 2)
    const said = /broken\.json is damaged: its '(up|flows)' does not have the form of yodel-/
    assert.match(refused.stderr, said)
    const table = await report(saved, '-o', path('sample.csv'))
    assert.deepEqual([table.code, /cannot be written into/.test(table.stderr)], [2, true])
  })

test('as JSON it stays what it was', async () => {
  const { code, stderr } = await report(path('run.json'), '-o', path('copy.JSON'))
  assert.equal(code, 0, stderr)
  const copy: unknown = JSON.parse(readFileSync(path('copy.JSON'), 'utf8'))
  assert.deepEqual(copy, JSON.parse(JSON.stringify(result)))
})

test('what cannot be read or written is refused in a line, and leaves nothing behind', async () => {
  writeFileSync(path('words.json'), 'Hello!')
  writeFileSync(path('other.json'), '{"format":"something"}')
  writeFileSync(path('new.json'), '{"format":"yodel-result-3"}')
  mkdirSync(path('folder.html'))
  const there = readdirSync(folder)
  const refused: [args: string[], says: RegExp][] = [
    [['nowhere.json'], /Cannot read .*nowhere\.json: there is no such file/],
    [[folder], /Cannot read .*: it is a folder/],
    [[path('words.json')], /words\.json is not JSON/],
    [[path('other.json')], /other\.json is not a result of yodel/],
    [[path('new.json')], /yodel-result-3.*yodel-result-2/],
    [[path('run.json'), '-o', path('run.pdf')], /run\.pdf.*\.html, \.json/],
    [[path('run.json'), '-o', path('html')], /\.html, \.json/],
    [[path('run.json'), '-o', path('none/run.html')], /Cannot write .*: there is no such/],
    [[path('run.json'), '-o', path('folder.html')], /Cannot write .*: it is a folder/],
    [[], /missing required argument/],
  ]
  const outcomes = await Promise.all(refused.map(([args]) => report(...args)))
  for (const [index, { code, stdout, stderr }] of outcomes.entries()) {
    assert.match(stderr, refused[index]![1])
    assert.match(stderr, /^yodel: [^\n]*\n$/)
    assert.deepEqual([code, stdout], [2, ''], stderr)
  }
  assert.deepEqual(readdirSync(folder), there)
})
