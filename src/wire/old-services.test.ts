/** What a server of chargen sends (RFC 864). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { characters } from './old-services.ts'

test('lines of 72 characters, each beginning one character later, and round again', () => {
  const lines = characters.toString('latin1').split('\r\n')
  assert.equal(lines.pop(), '')
  assert.equal(lines.length, 95)
  const line = ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg'
  assert.equal(lines[0], line)
  assert.equal(lines[1], `${line.slice(1)}h`)
  for (const [n, each] of lines.entries()) {
    assert.match(each, /^[ -~]{72}$/)
    const next: string = lines[(n + 1) % lines.length]!
    assert.equal(next.slice(0, -1), each.slice(1))
  }
  assert.equal(new Set(lines).size, 95)
})
