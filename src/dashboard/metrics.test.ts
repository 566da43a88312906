/** docs/metrics.md has every counter that /metrics shows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { plain } from './metrics.ts'

test('the page about metrics names every counter', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const names = Object.values(plain).map(([name]) => name)
  assert.deepEqual(
    names.filter(name => !text.includes(`\`${name}\``)),
    [],
  )
})
