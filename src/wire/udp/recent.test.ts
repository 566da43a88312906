/** The table of recent keys: what it keeps, what it forgets, and how much it holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import { Recent } from './recent.ts'

test('a table of the recent forgets the source not seen for longest, and never grows', () => {
  const forgotten: number[] = []
  const table = new Recent<number>(10, value => forgotten.push(value))
  for (let n = 0; n < 100; n++) {
    table.set(`${n}`, n)
    assert.equal(table.get('0'), 0)
    assert.ok([...table.values()].length <= 20)
  }
  assert.ok(!forgotten.includes(0))
  assert.equal(table.get('1'), undefined)
  assert.deepEqual(forgotten.slice(0, 3), [1, 2, 3])
})

test('each value is there or was forgotten, once, and the last ones asked for are there', () => {
  const max = 4
  const key = fc.nat(20).map(n => (n === 0 ? '__proto__' : `${n}`))
  const property = fc.property(fc.array(key, { maxLength: 100 }), keys => {
    const forgotten: number[] = []
    const table = new Recent<number>(max, value => forgotten.push(value))
    const recent: string[] = []
    let made = 0
    for (const one of keys) {
      const had = table.get(one)
      assert.ok(had !== undefined || !recent.slice(-max).includes(one))
      if (had === undefined) table.set(one, made++)
      if (recent.includes(one)) recent.splice(recent.indexOf(one), 1)
      recent.push(one)
      const present = [...table.values()]
      assert.ok(present.length <= 2 * max)
      const all = [...present, ...forgotten].toSorted((a, b) => a - b)
      assert.deepEqual(
        all,
        Array.from({ length: made }, (_, n) => n),
      )
      assert.ok(forgotten.length === 0 || table.turnovers > 1)
    }
  })
  fc.assert(property, { numRuns: short(1_000, 100) })
})
