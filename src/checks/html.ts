/** What a check has found, as one page. */
import { figureTable } from '../report/html/chart.ts'
import { dateText } from '../report/html/numbers.ts'
import { html, type Markup } from '../report/html/markup.ts'
import { page } from '../report/html/page.ts'
import * as parts from '../report/html/sections.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { costText } from './text.ts'
import type { CheckResult, Finding, Verdict } from './result.ts'

/** The classes that the style of a verdict has. */
const kinds: Record<Verdict, string> = {
  ok: 'pass',
  differs: 'pass',
  fails: 'fail',
  invalid: 'invalid',
}

export function checkHtml(result: CheckResult): string {
  const { address, mode, verdict, because, questions, expectations, startedAt } = result
  const found = questions.flatMap(({ name, findings }) =>
    findings.map(finding => findingPart(name, finding)),
  )
  return page(
    `yodel check ${address}`,
    html`<header>
      <p class="aside">yodel check, <time datetime="${startedAt}">${dateText(startedAt)}</time></p>
      <h1>${address}</h1>
      <div class="verdict ${kinds[verdict]}">
        <p><strong>${verdict}</strong></p>
        ${because.length > 0 && parts.bullets(because)}
      </div>
    </header>`,
    parts.section(
      'questions',
      'Questions',
      figureTable(
        ['question', 'answer', ''],
        questions.map(({ name, outcome, said }) => [name, outcome, said]),
      ),
    ),
    expectations.length > 0 &&
      parts.section(
        'expected',
        'Expected',
        figureTable(
          ['expected', 'found', ''],
          expectations.map(({ expectation, found, held }) => [
            html`<code>${expectation}</code>`,
            found,
            held ? 'held' : html`<strong class="missed">missed</strong>`,
          ]),
        ),
      ),
    found.length > 0 && parts.section('findings', 'Findings', found),
    parts.section(
      'conditions',
      'Conditions',
      parts.definitions([
        ['mode', mode],
        ['took', formatDuration(result.seconds * 1e3)],
        ['bounds', costText(result.cost)],
        ['connections', plural(result.used.connections, 'connection')],
        ...Object.entries(result.versions),
      ]),
    ),
  )
}

const findingPart = (
  question: string,
  { said, outcome, evidence, where, effect, advice }: Finding,
): Markup =>
  html`<h3>${question} ${outcome}: ${said}</h3>
    ${parts.bullets(evidence)}
    ${parts.definitions([
      ['where', where],
      ['effect', effect],
      ['look at', advice],
    ])}`
