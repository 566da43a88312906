import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { boundPath } from './unix.ts'

test('the name that is bound first: beside the wanted one, another, never too long', () => {
  const base = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 107 })
  const path = fc
    .tuple(fc.nat({ max: 106 }), base)
    .map(([length, name]) => (length > 0 ? `${'d'.repeat(length - 1)}/` : '') + name)
    .filter(path => Buffer.byteLength(path) <= 107 && !/[/\0]$/.test(path))
  fc.assert(
    fc.property(path, path => {
      const bound = boundPath(path)
      const folder = (path: string) => path.slice(0, path.lastIndexOf('/') + 1)
      assert.notEqual(bound, path)
      assert.equal(folder(bound), folder(path))
      assert.ok(Buffer.byteLength(bound) <= 107 && bound.length > folder(path).length, bound)
    }),
  )
  for (const path of ['~', '-', `${'x'.repeat(104)}/~1`]) assert.notEqual(boundPath(path), path)
})
