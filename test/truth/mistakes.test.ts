/** The mistakes that npm run truth:mutations makes can be made: each has its one place in src. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../program.ts'
import { mistakes } from './mistakes.ts'

test('each mistake has one place where it can be made', () => {
  for (const { what, file, from } of mistakes) {
    const text = readFileSync(join(root, 'src', file), 'utf8')
    assert.equal(text.split(from).length, 2, what)
  }
})
