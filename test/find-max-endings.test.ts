/** How a search of the real `yodel bench --find-max` ends if it cannot be completed. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { FindMaxResult } from 'yodel'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const typed = createTypist()

const probes = ['--duration', '50ms', '--warmup', '0', '--connections', '1', '--drain', '50ms']
const flags = ['--find-max', 'p50<10s', ...probes]
/** The first two connections are those of the estimate. */
const beyondEstimate = 4

const noSignals = process.platform === 'win32' && 'Windows has no signals'
for (const [signal, skip] of [
  ['SIGINT', noSignals],
  ['SIGTERM', noSignals || onlyFull],
] as const)
  test(`${signal}: what was found until then, no failure, exit 130`, { skip }, async () => {
    let clients = 0
    let isSearching = () => {}
    const searching = new Promise<void>(resolve => (isSearching = resolve))
    await using echoing = await listen(socket => {
      if (++clients === beyondEstimate) isSearching()
      socket.pipe(socket)
    })
    const path = join(folder, `${signal}.md`)
    await using program = yodel(['bench', echoing.url, ...flags, '--output', path])
    await searching
    program.kill(signal)
    const { code, stdout } = await program.finished
    const text = stdout.toString()
    assert.match(text, /^INVALID: The highest rate is not known, since the search was stopped/)
    assert.match(text, /\nINVALID: [^\n]+\n$/)
    assert.match(text, /\nSo far p50<10s held (up to|at)[^]*Tried: |\nNo rate was tried/)
    assert.match(readFileSync(path, 'utf8'), /^## INVALID: /)
    assert.equal(code, 130)
  })

test('a server that goes away: what was found until then, its file, exit 4', async () => {
  let clients = 0
  await using dying = await listen(socket => {
    socket.pipe(socket)
    if (++clients === beyondEstimate) dying.stop()
  })
  const path = join(folder, 'search.json')
  const { code, stdout } = await typed(['bench', dying.url, ...flags, '--output', path])
  assert.match(stdout, /^INVALID: The highest rate is not known, since the search ended before/)
  assert.match(stdout, /Cannot connect to\s+\S+:\s+no\s+server\s+listens\s+there/)
  const saved = JSON.parse(readFileSync(path, 'utf8')) as FindMaxResult
  assert.match(saved.stoppedBecause!, /^Cannot connect/)
  assert.ok(saved.closedLoopPerSecond > 0)
  assert.equal(code, 4)
})
