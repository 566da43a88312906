/** The benchmark, as short as can be, so that it does not rot. What it measures proves nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onlyFull } from './full.ts'
import { Program, root } from './program.ts'

const runner = `${root}build/benchmarks/run.js`
const linux = process.platform === 'linux' ? false : 'reads /proc, which only Linux has'

test(
  'the benchmark runs, and prints a table with a ratio',
  { skip: linux || onlyFull },
  async () => {
    const flags = ['--rounds', '1', '--ms', '100', '--only', 'small-50', '--of', 'yodel node']
    await using program = new Program(process.execPath, [runner, ...flags], 'ignore')
    const { code, stdout, stderr } = await program.finished
    assert.equal(code, 0, stderr)
    assert.match(stdout.toString(), /### small-50: us of server CPU per 64 B echo.*\(1 rounds\)/)
    assert.match(stdout.toString(), /\| yodel node \| [\d.]+ \| [\d.]+ \|/)
  },
)

test('an unknown measure is refused', async () => {
  await using program = new Program(process.execPath, [runner, '--only', 'nothing'], 'ignore')
  const { code, stderr } = await program.finished
  assert.equal(code, 2)
  assert.match(stderr, /small-50/)
})
