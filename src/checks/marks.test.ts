import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeMarks } from './marks.ts'

/** EF with ECT(0), as it is sent. */
const sent = 0xba
const kept = new Map([[sent, 20]])
const named = (...ways: Parameters<typeof judgeMarks>) =>
  judgeMarks(...ways).found.map(({ name, side }) => `${name} ${side}`)

test('marks that are kept, and congestion that is marked, are no finding', () => {
  assert.deepEqual(named(kept, kept), [])
  const congested = new Map([
    [sent, 17],
    [sent | 3, 3],
  ])
  assert.deepEqual(named(kept, congested), [])
  assert.match(judgeMarks(kept, congested).said, /kept both ways; 3 datagrams came with CE/)
})

test('what becomes of marks is told by direction and by field', () => {
  assert.deepEqual(named(new Map([[0xb8, 20]]), kept), ['ecn-bleached up'])
  assert.deepEqual(named(kept, new Map([[0xb9, 20]])), ['ecn-bleached down'])
  assert.deepEqual(named(kept, new Map([[0x2a, 20]])), ['dscp-rewritten down'])
  const [both] = [new Map([[0, 20]])]
  assert.deepEqual(named(both, kept), ['ecn-bleached up', 'dscp-rewritten up'])
  const { found } = judgeMarks(new Map([[0x2a, 20]]), kept)
  assert.equal(found[0]!.said, 'DSCP is rewritten on the way there: EF (46) becomes AF11 (10)')
  assert.match(found[0]!.evidence[0]!, /what came: 20 with DSCP AF11 \(10\), ECN ECT\(0\)/)
})

test('datagrams that vanish for their marks are told of the way on which they do', () => {
  assert.deepEqual(named(new Map(), new Map()), ['marks-lost up'])
  assert.deepEqual(named(kept, new Map()), ['marks-lost down'])
})
