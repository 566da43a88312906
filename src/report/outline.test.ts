/** JUnit and Markdown of whatever was measured: right in form, and nothing in a file is markup. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outlineOfRun, type Outline } from './outline.ts'
import { outlineOfRounds } from './rounds-outline.ts'
import { parseCondition } from './fail-if.ts'
import type { FindMaxResult } from './find-max.ts'
import { outlineOfFindMax } from './find-max-outline.ts'
import { junit } from './junit.ts'
import { judge } from './judge.ts'
import { markdown } from './markdown.ts'
import { sampleResult } from './sample.suite.ts'
import { sampleRounds } from './rounds.suite.ts'

interface Element {
  name: string
  attributes: Record<string, string>
  text: string
  children: Element[]
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
const decoded = (text: string) =>
  text.replaceAll(/&([^;]*);/g, (_, name: string) => entities[name]!)

/** Reads XML as strictly as a parser does that knows no DTD. */
function parseXml(xml: string): Element {
  assert.match(xml, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n/)
  // XML 1.0 section 2.2.
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/u)
  const top: Element = { name: '', attributes: {}, text: '', children: [] }
  const open = [top]
  const tags = /<(\/?)([\w-]+)((?: [\w-]+="[^"<]*")*)(\/?)>|([^<]+)/gy
  const body = xml.slice(xml.indexOf('\n'))
  let at = 0
  for (const [all, close, name, attributes, empty, text] of body.matchAll(tags)) {
    at += all.length
    if (text !== undefined) open.at(-1)!.text += decoded(text)
    else if (close) assert.equal(open.pop()!.name, name)
    else {
      const found = [...attributes!.matchAll(/([\w-]+)="([^"]*)"/g)]
      const pairs = found.map(([, key, value]) => [key, decoded(value!)])
      const element = { name: name!, attributes: Object.fromEntries(pairs), text: '', children: [] }
      open.at(-1)!.children.push(element)
      if (!empty) open.push(element)
    }
  }
  assert.equal(at, body.length, body.slice(at, at + 40))
  assert.equal(open.length, 1)
  assert.equal(top.children.length, 1)
  return top.children[0]!
}

const suiteOf = (outline: Outline) => {
  const [suite] = parseXml(junit(outline)).children
  const cases = suite!.children.filter(({ name }) => name === 'testcase')
  return { suite: suite!, cases, kinds: cases.map(({ children }) => children[0]?.name ?? '') }
}

test('JUnit: a missed objective is a failure, a run that is not valid an error', () => {
  const good = suiteOf(outlineOfRun(judge(sampleResult(), ['p90<1s', 'loss=0'])))
  assert.deepEqual(good.kinds, ['', '', 'system-out', 'system-out'])
  const { tests, failures, errors, skipped, timestamp } = good.suite.attributes
  assert.deepEqual([tests, failures, errors, skipped], ['4', '0', '0', '0'])
  assert.equal(timestamp, '2026-01-02T03:04:05')

  const missed = suiteOf(outlineOfRun(judge(sampleResult(), ['p90<1us'])))
  assert.deepEqual(missed.kinds, ['', '', 'failure'])
  assert.equal(missed.suite.attributes['failures'], '1')
  assert.equal(missed.cases[2]!.attributes['name'], 'p90<1us')

  const own = suiteOf(outlineOfRun(sampleResult({ cpuShare: 1 })))
  assert.deepEqual(own.kinds, ['', 'error'])
  assert.equal(own.suite.attributes['errors'], '1')
  assert.match(own.cases[1]!.children[0]!.attributes['message']!, /generator was the limit/)

  const lost = sampleResult({ counters: { messagesReceived: 900, closedEarly: 1 } })
  assert.deepEqual(suiteOf(outlineOfRun(lost)).kinds.slice(0, 1), ['failure'])
})

test('of rounds a difference is told, and a condition fails', () => {
  const rounds = sampleRounds({ slower: 0.3 })
  assert.deepEqual(suiteOf(outlineOfRounds(rounds)).kinds, ['', ...Array(3).fill('system-out')])
  const failing = outlineOfRounds(rounds, [parseCondition('p90>+10%'), parseCondition('errors>0')])
  assert.equal(failing.standing, 'FAIL')
  const { cases, kinds } = suiteOf(failing)
  assert.deepEqual(kinds.slice(-2), ['failure', 'system-out'])
  assert.equal(cases.at(-2)!.attributes['name'], 'not p90>+10%')
  const few = outlineOfRounds(sampleRounds({ count: 4, change: { roundsWanted: 9 } }))
  assert.equal(few.standing, 'INVALID')
  assert.deepEqual(suiteOf(few).kinds, ['error', ...Array(3).fill('skipped')])
})

test('Markdown begins with the verdict, and its tables are as wide as their heads', () => {
  const text = markdown(outlineOfRun(judge(sampleResult(), ['p90<1us', 'loss=0'])))
  assert.match(text, /^## FAIL: yodel bench `tcp:\/\/127\.0\.0\.1:7007`\n\n- Expected p90\\<1us/)
  assert.match(text, /^\| \*\*MISSED\*\* \| `p90<1us` \| /m)
  assert.match(text, /^\| held \| `loss=0` \| 0% \|$/m)
  assert.match(text, /^yodel bench tcp:\/\/127\.0\.0\.1:7007 --connections 10/m)
  const tables = text.split('\n\n').filter(block => block.startsWith('|'))
  assert.equal(tables.length, 2)
  for (const table of tables) {
    const widths = table.split('\n').map(line => line.split(/(?<!\\)\|/).length)
    assert.equal(new Set(widths).size, 1, table)
  }
  assert.match(markdown(outlineOfRun(sampleResult())), /^## PASS: /)
  assert.match(markdown(outlineOfRun(sampleResult({ cpuShare: 1 }))), /^## INVALID: /)
})

test('what a peer or a file says stays text', () => {
  const evil = '`|</failure><script>\n# \u0000\u202e ]]> & "q" ```'
  const run = { address: evil, reproduce: evil }
  const result = sampleResult({ run, change: { failedBecause: [evil], notes: [evil] } })
  const outline = outlineOfRun({ ...result, errors: { ...result.errors, reset: 1 } })
  const { suite, cases } = suiteOf(outline)
  assert.ok(suite.attributes['name']!.includes('</failure><script>\\n# \\x00\\u{202e}'))
  assert.ok(cases[0]!.children[0]!.attributes['message']!.includes('</failure>'))
  const lines = markdown(outline).split('\n')
  assert.match(lines[0]!, /^## FAIL: yodel bench ```` `\\\|<\/failure><script>\\n# /)
  assert.ok(lines.includes('````'), 'the fence is longer than what it holds')
  const outside = lines.filter(line => line.startsWith('- '))
  for (const line of outside) assert.doesNotMatch(line, /(?<!\\)[<`|]/)
})

test('a search for the highest rate has an outline, too', () => {
  const probe = { held: true, measuredText: '1ms', valid: true, because: [], lost: 0 }
  const result: FindMaxResult = {
    format: 'yodel-find-max-2',
    objective: 'p99<5ms',
    ratePerSecond: 5_000,
    failedPerSecond: 6_000,
    precision: 0.05,
    limitedByGenerator: false,
    stopped: false,
    stoppedBecause: null,
    closedLoopPerSecond: 9_000,
    probes: [{ ...probe, ratePerSecond: 5_000, achievedPerSecond: 5_000, p50Us: 60, p99Us: 900 }],
    run: sampleResult().run,
  }
  assert.deepEqual(suiteOf(outlineOfFindMax(result)).kinds, ['system-out', ''])
  assert.match(markdown(outlineOfFindMax(result)), /^## PASS: [^]*\| 5,000\/s \| 1 probe \| 60/)
  const limited = { ...result, limitedByGenerator: true }
  assert.deepEqual(suiteOf(outlineOfFindMax(limited)).kinds, ['system-out', 'error'])
  const none = { ...result, ratePerSecond: 0, probes: [], run: null }
  assert.deepEqual(suiteOf(outlineOfFindMax(none)).kinds, ['failure', ''])
  // A search that was stopped is neither a success nor a failure of the server.
  const stopped = { ...result, stopped: true }
  assert.deepEqual(suiteOf(outlineOfFindMax(stopped)).kinds, ['system-out', 'error'])
  assert.match(markdown(outlineOfFindMax(stopped)), /^## INVALID: [^]*\| at least 5,000\/s \|/)
  const early = { ...none, stopped: true, failedPerSecond: null }
  assert.deepEqual(suiteOf(outlineOfFindMax(early)).kinds, ['skipped', 'error'])
  assert.match(markdown(outlineOfFindMax(early)), /\| not known \| 0 probes \|/)
})
