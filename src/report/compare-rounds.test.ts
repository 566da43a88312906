import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserError } from '../vocabulary/errors.ts'
import { claim, compareFigure } from './rounds-answers.ts'
import { compareRounds } from './compare-rounds.ts'
import { compareRoundsText } from './compare-rounds-text.ts'
import { parseCondition } from './fail-if.ts'
import { readDocument, readResult } from './read.ts'
import { sampleRounds, type RoundsSample } from './rounds.suite.ts'

const compared = (sample: RoundsSample, ...failIf: string[]) =>
  compareRounds(sampleRounds(sample), failIf.map(parseCondition))
const answers = (sample: RoundsSample) => compared(sample).figures.map(({ answer }) => answer)
const textOf = (sample: RoundsSample, ...failIf: string[]) =>
  compareRoundsText(compared(sample, ...failIf), { columns: 200, unicode: false })

test('a difference beyond the spread is claimed, with its interval', () => {
  const { outcome, figures, verdict } = compared({ slower: 0.1 })
  assert.deepEqual([outcome, verdict], ['compared', 'pass'])
  for (const { metric, answer, change, interval } of figures) {
    const expected = metric === 'rate' ? 1 / 1.1 - 1 : 0.1
    assert.equal(answer, 'worse', metric)
    assert.ok(interval![0] < expected && expected < interval![1], interval!.join())
    assert.ok(interval![0] < change! && change! < interval![1])
    assert.ok(interval![0] > 0 || interval![1] < 0)
  }
  assert.match(textOf({ slower: 0.1 }), /p50: worse by \d+\.\d% \(\d+\.?\d*% to \d+\.?\d*%\)/)
  assert.deepEqual(answers({ slower: -0.1 }), ['better', 'better', 'better'])
})

test('without one it says how large a difference may still be, or that it cannot tell', () => {
  assert.deepEqual(answers({}), ['no difference', 'no difference', 'no difference'])
  assert.match(textOf({}), /p50: no difference larger than [1-4]\.\d%\./)
  const noisy = { deviation: 0.2, seed: 2 }
  assert.deepEqual(answers(noisy), ['cannot tell', 'cannot tell', 'cannot tell'])
  assert.match(textOf(noisy), /p50: cannot tell: between \S+ and \S+; about \d+ more rounds would/)
  const [rate] = compared(noisy).figures
  assert.ok(rate!.moreRounds! > 10 && rate!.moreRounds! < 10_000)
  assert.deepEqual(answers({ ...noisy, change: { margin: 1 } })[1], 'no difference')
})

test('so few rounds cannot tell anything, and say how many would', () => {
  const { figures } = compared({ count: 4, slower: 0.5, deviation: 0.01 })
  for (const { answer, interval, moreRounds } of figures)
    assert.deepEqual([answer, interval, moreRounds], ['cannot tell', null, 3])
  const fewer = { count: 7, slower: 0.5, deviation: 0.01 }
  assert.deepEqual(answers(fewer), ['worse', 'worse', 'worse'])
})

/** The answers to a figure and another, of rounds that are only that. */
function answersOf({ seed = 0, ...sample }: RoundsSample): (string | null)[] {
  const { rounds, margin } = sampleRounds({ ...sample, seed })
  const figures = ['rate', 'p50'].map(name => compareFigure(name, rounds, seed))
  claim(figures, margin)
  return figures.map(({ answer }) => answer)
}

test('in 200 comparisons of equal sides there are at most 16 claims', () => {
  for (const deviation of [0.03, 0.3]) {
    let claims = 0
    for (let seed = 0; seed < 200; seed++)
      if (answersOf({ seed, deviation, count: 8 }).some(isClaim)) claims++
    assert.ok(claims > 0 && claims <= 16, `${claims} with ${deviation}`)
  }
})

const isClaim = (answer: string | null) => answer === 'better' || answer === 'worse'

test('10 % more are found in 90 of 100 comparisons where runs differ by 4 %', () => {
  let found = 0
  for (let seed = 0; seed < 100; seed++)
    if (answersOf({ seed, deviation: 0.04, slower: 0.1 })[1] === 'worse') found++
  assert.ok(found >= 90, `${found}`)
})

test('--fail-if needs the claim', () => {
  const rows: [RoundsSample, condition: string, held: string][] = [
    [{ slower: 0.3 }, 'p50>+20%', 'yes'],
    [{ slower: 0.3 }, 'rate<-5%', 'yes'],
    [{ slower: 0.1 }, 'p50>+20%', 'no'],
    [{ slower: -0.3 }, 'p50>+20%', 'no'],
    // Seen, but it may be chance.
    [{ deviation: 0.5, seed: 4, slower: 1 }, 'p50>+20%', 'unknown'],
    [{ count: 4, slower: 1 }, 'p50>+20%', 'unknown'],
    [{}, 'p50>1us', 'yes'],
    [{}, 'p50>1h', 'no'],
    [{}, 'errors>0', 'no'],
    // A figure that is missing cannot be said to be right.
    [{}, 'p99.99>+10%', 'yes'],
  ]
  for (const [sample, condition, held] of rows) {
    const { conditions, verdict } = compared(sample, condition)
    assert.equal(conditions[0]!.held, held, `${condition}: ${conditions[0]!.measured}`)
    assert.equal(verdict, held === 'yes' ? 'fail' : 'pass', condition)
  }
  assert.match(textOf({ slower: 0.3 }, 'p50>+20%'), /^FAILED: p50>\+20%: \+\d+\.\d% \(/m)
  assert.match(textOf({ count: 4, slower: 1 }, 'p50>+20%'), /^Not shown: p50>\+20%: /m)
})

test('a condition on a figure that was not compared compares it, too', () => {
  const { figures } = compared({}, 'p75>+20%')
  assert.deepEqual(
    figures.map(({ metric }) => metric),
    ['rate', 'p50', 'p90', 'p75'],
  )
})

test('rounds with a run that is not valid are left out; too many make all of it invalid', () => {
  const spoiled = (count: number): RoundsSample => ({
    count: 12,
    slower: 0.2,
    change: { roundsWanted: 10 },
    spoil: (round, side) =>
      round < count && side === 'subject' ? { valid: false, invalidBecause: ['Too slow.'] } : {},
  })
  const few = compared(spoiled(2))
  assert.deepEqual([few.outcome, few.rounds, few.leftOut], ['compared', 10, 2])
  assert.match(textOf(spoiled(2)), /; 2 more left out, not valid;/)
  assert.equal(few.figures[1]!.answer, 'worse')
  const many = compared(spoiled(3))
  assert.equal(many.outcome, 'invalid')
  assert.match(many.noClaimBecause[0]!, /3 rounds had a run that is not valid.* Too slow\./)
  // Where no round is valid, no condition is ruled out.
  assert.equal(compared(spoiled(12), 'errors>0').conditions[0]!.held, 'unknown')
})

test('wrong bytes are a failure of a round that is not valid, too', () => {
  const { errors } = sampleRounds({ count: 2 }).rounds[0]!.subject
  const wrong: RoundsSample = {
    count: 11,
    change: { roundsWanted: 10 },
    spoil: (round, side) =>
      round === 4 && side === 'subject'
        ? {
            valid: false,
            invalidBecause: ['Too slow.'],
            verdict: 'fail',
            failedBecause: ['1 connection failed: wrongBytes.'],
            errors: { ...errors, wrongBytes: 1 },
          }
        : {},
  }
  const { outcome, verdict, noClaimBecause, conditions } = compared(wrong, 'errors>0', 'p50>1h')
  assert.deepEqual([outcome, verdict], ['failed', 'fail'])
  assert.match(noClaimBecause.join(), /subject failed in round 5: 1 connection failed: wrongBytes/)
  assert.deepEqual(
    conditions.map(({ held }) => held),
    ['yes', 'no'],
  )
})

test('what is unlike, incomplete or failed makes no claim', () => {
  const failure = { verdict: 'fail' as const, failedBecause: ['3 messages did not come back.'] }
  const missed = { objective: 'p99<1us', measured: 20, measuredText: '20us', held: false }
  const rows: [RoundsSample, outcome: string, why: RegExp][] = [
    [{ spoil: round => (round === 3 ? failure : {}) }, 'failed', /baseline failed in round 4: 3/],
    [{ count: 6, change: { roundsWanted: 10 } }, 'incomplete', /needs all 10 rounds/],
    [
      { spoil: (_, side) => (side === 'subject' ? otherEngine : {}) },
      'unlike',
      /engine \(node, and/,
    ],
  ]
  for (const [sample, outcome, why] of rows) {
    const found = compared({ ...sample, slower: 0.5 }, 'p50>+20%')
    assert.equal(found.outcome, outcome)
    assert.match(found.noClaimBecause.join(), why)
    for (const { answer, interval } of found.figures)
      assert.deepEqual([answer, interval], [null, null])
    assert.equal(found.conditions[0]!.held, 'unknown')
    assert.doesNotMatch(textOf({ ...sample, slower: 0.5 }), /worse|better/)
  }
  // A missed objective fails the verdict, and says nothing of the figures.
  const objective = { verdict: 'fail' as const, failedBecause: ['x'], expectations: [missed] }
  const { outcome, verdict, missed: texts } = compared({ slower: 0.5, spoil: () => objective })
  assert.deepEqual([outcome, verdict], ['compared', 'fail'])
  assert.match(texts[0]!, /baseline missed p99<1us in 10 of 10 rounds/)
})

const otherEngine = {
  run: { ...sampleRounds({ count: 2 }).rounds[0]!.baseline.run, engine: 'uring' },
}

test('the text fits its terminal, and what a file has cannot move its cursor', () => {
  const hostile = { baseline: { address: '\u001b[2J', serve: null } }
  for (const columns of [40, 80, 120]) {
    const text = compareRoundsText(compared({ slower: 0.1, change: hostile }, 'p50>+5%'), {
      columns,
      unicode: false,
    })
    assert.ok(!text.includes('\u001b'))
    const words = text.split('\n').filter(line => line.length > columns)
    assert.deepEqual(words, [], `${columns}`)
  }
})

test('rounds are read as they were written, and anything else is refused in a line', () => {
  const rounds = sampleRounds({ count: 3 })
  assert.deepEqual(readDocument(JSON.stringify(rounds), 'a.json'), rounds)
  const change = (with_: object) => JSON.stringify({ ...rounds, ...with_ })
  const swapped = [rounds.rounds[1], rounds.rounds[0]]
  const rows: [text: string, message: RegExp][] = [
    [change({ format: 'yodel-rounds-2' }), /format yodel-rounds-2/],
    [change({ rounds: [] }), /damaged: its 'rounds'/],
    [change({ rounds: [{ first: 'both' }] }), /damaged: its 'rounds'/],
    [change({ margin: null }), /'margin'/],
    [change({ figures: ['p50', 'joy'] }), /no metric 'joy'/],
    [change({ rounds: [{ ...rounds.rounds[0], subject: {} }] }), /round 1, subject/],
    [change({ rounds: swapped }), /not measured in turn/],
  ]
  const isLine = (error: unknown, message: RegExp) =>
    error instanceof UserError && message.test(error.message) && !error.message.includes('\n')
  for (const [text, message] of rows)
    assert.throws(
      () => readDocument(text, 'x.json'),
      (error: unknown) => isLine(error, message),
      text.slice(0, 60),
    )
  assert.throws(() => readResult(change({}), 'x.json'), /format yodel-rounds-1/)
})
