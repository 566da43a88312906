/** The example for vitest is run by vitest. (That for node:test is one of our own tests.) */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onlyFull } from './full.ts'
import { Program, root } from './program.ts'

test(
  'a client is tested with vitest against a server that misbehaves',
  { skip: onlyFull },
  async () => {
    const vitest = `${root}node_modules/vitest/vitest.mjs`
    const args = [vitest, 'run', '--root', 'examples/vitest', '--reporter', 'json']
    await using program = new Program(process.execPath, args, 'ignore')
    const { code, stdout, stderr } = await program.finished
    assert.equal(code, 0, stderr)
    const { numPassedTests, testResults } = JSON.parse(stdout.toString()) as Report
    const titles = testResults.flatMap(({ assertionResults }) => assertionResults)
    assert.deepEqual(
      titles.map(({ title, status }) => [title, status]),
      [
        ['my client survives a reset in the middle of a message', 'passed'],
        ['my client times out on a hang', 'passed'],
      ],
    )
    assert.equal(numPassedTests, 2)
  },
)

interface Report {
  numPassedTests: number
  testResults: { assertionResults: { title: string; status: string }[] }[]
}
