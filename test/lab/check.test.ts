/** What `yodel check` says of paths that are bad in a known way; its table is in docs/. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { full, onlyFull } from '../full.ts'
import { missing, root } from '../program.ts'
import { tableOf, type Row } from './check-table.ts'
import { askOn, examine, falseAlarms, names, questionOf, sideOf, type Told } from './judge.ts'
import { noLab } from './lab.ts'
import { createPath } from './path.ts'
import { pathologies } from './pathologies.ts'
import type { Pathology } from './pathologies/pathology.ts'
import { unforeseen } from './pathologies/unforeseen.ts'

const page = `${root}docs/check-lab.md`
/** A cheap one for every day; lab.test.ts has the packet filter. */
const daily = ['a telnet gateway']
/** Nothing in the lab forgets later than after 3 s. */
const brief = ['--idle', '6s']
const rows = new Map<string, Row>()

const lacking = ({ needs = [] }: Pathology) =>
  noLab || needs.map(missing).find(reason => reason !== false) || false

for (const name of full ? [] : daily)
  test(`check names: ${name}`, { skip: lacking(pathologies[name]!) }, async () => {
    const pathology = pathologies[name]!
    const told = await examine(pathology, { args: ['--only', pathology.question] })
    const { said } = questionOf(told, pathology.question)!
    assert.ok(names(told, pathology), said)
    assert.equal(told.code, pathology.outcome === 'fails' ? 1 : 0)
  })

/** What a run has not named, or named without a cause; undefined if it is right. */
function wrongIn(told: Told, pathology: Pathology): string | undefined {
  const asked = questionOf(told, pathology.question)
  if (!asked || !names(told, pathology))
    return `${pathology.question} ${asked?.outcome}: ${asked?.said}`
  return falseAlarms(told, pathology)[0]
}

/** Most of the time it waits, so several at a time do not disturb one another much. */
describe(
  'of all that is bad check says what it is',
  { skip: noLab || onlyFull, concurrency: 6 },
  () => {
    for (const [name, pathology] of Object.entries(pathologies))
      test(name, { skip: lacking(pathology) }, async context => {
        const { both: paired = false } = pathology
        const examined = () => examine(pathology, { args: brief, paired })
        let told = await examined()
        const wrong = wrongIn(told, pathology)
        if (wrong !== undefined && pathology.known === undefined) {
          // A bad path does the same again; six labs at once on a busy machine do not.
          context.diagnostic(`asked once more, since: ${wrong}`)
          told = await examined()
        }
        rows.set(name, { pathology, told })
        const asked = questionOf(told, pathology.question)
        assert.ok(asked, `check has no question ${pathology.question}`)
        if (pathology.known !== undefined) {
          // Once check names it, its mark has to go.
          assert.ok(!names(told, pathology), `${name} is named now: take away what is known of it`)
          return
        }
        assert.equal(wrongIn(told, pathology), undefined)
        if (pathology.side === undefined) return
        const both = await examine(pathology, {
          paired: true,
          args: ['--only', pathology.question],
        })
        rows.set(name, { pathology, told, both })
        assert.equal(both.result.mode, 'paired')
        assert.equal(sideOf(both, pathology), pathology.side)
      })
    after(() => {
      if (process.env['PAGES'] !== 'write') return
      writeFileSync(page, tableOf(rows, Object.keys(pathologies), readFileSync(page, 'utf8')))
    })
  },
)

/** What leads to the cause, by the question that says it: docs/check-lab.md has the rest. */
const leads = {
  'one server of three hangs': ['overload', 'uneven'],
  'one of two links loses large packets': ['sizes', 'uneven'],
  'a provider polices the rate': ['latency', 'lossy'],
  'a router with bad memory': ['bytes', 'corrupted'],
  'a limit on new connections': ['overload', 'unanswered'],
} as const
for (const [name, [question, finding]] of Object.entries(leads)) {
  const { build, needs = [], links } = unforeseen[name]!
  const lacks = noLab || needs.map(missing).find(reason => reason !== false)
  test(`no question was written for it: ${name}`, { skip: lacks || onlyFull }, async () => {
    const path = await createPath(false, links)
    await using _ = path.lab
    const told = await askOn(path, await build(path), '--idle', '2s')
    const found = questionOf(told, question)!.findings.map(each => each.name)
    assert.ok(found.includes(finding), JSON.stringify(questionOf(told, question)))
  })
}

test('the page has a row for each pathology', () => {
  const text = readFileSync(page, 'utf8')
  const [, table] = text.split('<!-- pathologies -->')
  const listed = table!.split('<!-- end -->')[0]!.matchAll(/^\| ([^|]+?) \| [^|]+ \| `/gm)
  assert.deepEqual(
    [...listed].map(([, name]) => name!).toSorted(),
    Object.keys(pathologies).toSorted(),
  )
})
