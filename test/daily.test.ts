/** What the daily form leaves out has something near to it that runs every day. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { onlyInFull } from './daily.ts'
import { root } from './program.ts'

test('a file that only the full form runs names one that runs every day', () => {
  for (const [name, near] of Object.entries(onlyInFull)) {
    for (const file of [`test/${name}`, near])
      assert.ok(existsSync(`${root}${file}.test.ts`), `${file} is no test file`)
    const isOwn = near.startsWith('test/') && basename(near) in onlyInFull
    assert.ok(!isOwn, `${near}, near to ${name}, does not run every day either`)
  }
})
