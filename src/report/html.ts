/** What a load did, as one page that needs nothing else: no network, no script, no other file. */
import { histogramChart, percentileChart } from './html/spread-charts.ts'
import { dateText } from './html/numbers.ts'
import { html, type Markup } from './html/markup.ts'
import { page } from './html/page.ts'
import { titleOfParts, slices } from './html/slices.ts'
import { outages } from './html/outages.ts'
import * as parts from './html/sections.ts'
import { stagesTable } from './html/stages.ts'
import { latencyChart, rateChart } from './html/time-charts.ts'
import { wrongBytes } from './html/wrong-bytes.ts'
import type { RunResult } from './result.ts'

export function loadHtml(result: RunResult): string {
  const { run, notes } = result
  return page(
    `yodel ${run.command} ${run.address}: ${parts.verdictWord(result)}`,
    html`<header>
        <p class="aside">
          yodel ${run.command},
          <time datetime="${run.startedAt}">${dateText(run.startedAt)}</time>
        </p>
        <h1>${run.address}</h1>
        ${parts.verdict(result)}
      </header>
      ${parts.section('figures', 'Figures', parts.headline(result))}
      ${notes.length > 0 && parts.section('notes', 'Notes', parts.bullets(notes))}
      ${result.datagrams && parts.section('datagrams', 'Datagrams', parts.datagrams(result))}
      ${result.outages && parts.section('outages', 'Outages', outages(result.outages))}
      ${result.stages && parts.section('stages', 'Stages', stagesTable(result))} ${overTime(result)}
      ${spread(result)}
      ${parts.section('distributions', 'All percentiles', parts.distributionSection(result))}
      ${run.parts && parts.section('slices', titleOfParts(result), slices(result))}
      ${parts.section('errors', 'Failures', parts.failureSection(result))}
      ${
        result.firstWrong &&
        parts.section('wrong', 'First wrong bytes', wrongBytes(result.firstWrong, run.reproduce))
      }
      ${
        result.expectations.length > 0 &&
        parts.section('expectations', 'Expectations', parts.expectations(result))
      }
      ${parts.section('conditions', 'Conditions', parts.conditions(result))} `,
  )
}

const overTime = (result: RunResult): Markup =>
  parts.section(
    'time',
    'Second by second',
    result.intervals.length === 0
      ? html`<p>There are no figures for single seconds in this result.</p> `
      : [rateChart(result), latencyChart(result)],
  )

const spread = (result: RunResult): Markup =>
  parts.section(
    'spread',
    'Spread of the response time',
    result.histograms.responseUs.length === 0
      ? html`<p>No message came back, so there is no time to show.</p> `
      : [percentileChart(result), histogramChart(result)],
  )
