import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DueHeap } from './due-heap.ts'

test('whatever is added, delayed and removed, the first is due first', () => {
  const instants = fc.array(fc.nat(20), { minLength: 1, maxLength: 30 })
  const steps = fc.array(fc.record({ remove: fc.boolean(), byNs: fc.nat(10) }), { maxLength: 60 })
  fc.assert(
    fc.property(instants, fc.nat(30), steps, (all, atFirst, changes) => {
      const dueNs = Float64Array.from(all)
      const members = new Set([...all.keys()].filter(member => member < atFirst))
      const heap = new DueHeap(dueNs, members)
      for (const member of all.keys()) {
        if (members.has(member)) continue
        members.add(member)
        heap.add(member)
      }
      for (const { remove, byNs } of changes) {
        const { first } = heap
        assert.equal(first === undefined, members.size === 0)
        if (first === undefined) return
        assert.ok(members.has(first))
        assert.equal(heap.firstNs, Math.min(...[...members].map(member => dueNs[member]!)))
        if (remove) {
          members.delete(first)
          heap.removeFirst()
        } else {
          dueNs[first]! += byNs
          heap.delayed()
        }
      }
    }),
  )
})
