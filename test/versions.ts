/**
 * Runs the tests on other versions of Node, each fetched by npm into a folder that is removed
 * afterwards: `npm run test:versions`, `npm run test:versions -- newest peers limits`. Words that
 * are no version are parts of the names of test files.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fetchNode, output } from './node-versions.ts'

/** Beside the oldest, which is the one that everything is built and tested with every day. */
const supported = ['22', '24', '26']

const words = process.argv.slice(2)
const isVersion = (word: string) => /^\d+(\.\d+)*$/.test(word) || word === 'newest'
const chosen = words.filter(isVersion).map(word => (word === 'newest' ? supported.at(-1)! : word))
const names = words.filter(word => !isVersion(word))

const failed: string[] = []
for (const version of chosen.length > 0 ? chosen : supported) {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-node-'))
  try {
    const node = fetchNode(version, folder)
    console.log(`\nOn Node ${output(node, ['--version'])}:\n`)
    // What the tests start by its name is of that version, too.
    const path = `${dirname(node)}${delimiter}${process.env['PATH']}`
    const options = { stdio: 'inherit', env: { ...process.env, PATH: path } } as const
    const { status } = spawnSync(node, ['build/test/run.js', ...names], options)
    if (status !== 0) failed.push(version)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
if (failed.length > 0) {
  console.log(`\nTests failed on Node ${failed.join(', ')}.`)
  process.exitCode = 1
}
