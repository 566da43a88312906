/** What a load did, as one page that needs nothing else: no network, no script, no other file. */
import { histogramChart, percentileChart } from './html/spread-charts.ts'
import { dateText } from './html/figures.ts'
import { html, Markup } from './html/markup.ts'
import * as parts from './html/sections.ts'
import { styles } from './html/styles.ts'
import { latencyChart, rateChart } from './html/time-charts.ts'
import { wrongBytes } from './html/wrong-bytes.ts'
import type { RunResult } from './result.ts'

/** Nothing on the page may ask for anything, or run. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

export function loadHtml(result: RunResult): string {
  const { run, notes } = result
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="color-scheme" content="light dark" />
        <title>yodel ${run.command} ${run.address}: ${parts.verdictWord(result)}</title>
        <style>
          ${new Markup(styles)}
        </style>
      </head>
      <body>
        <main>
          <header>
            <p class="aside">
              yodel ${run.command},
              <time datetime="${run.startedAt}">${dateText(run.startedAt)}</time>
            </p>
            <h1>${run.address}</h1>
            ${parts.verdict(result)}
          </header>
          ${parts.section('figures', 'Figures', parts.headline(result))}
          ${notes.length > 0 && parts.section('notes', 'Notes', parts.list(notes))}
          ${result.datagrams && parts.section('datagrams', 'Datagrams', parts.datagrams(result))}
          ${overTime(result)} ${spread(result)}
          ${parts.section('distributions', 'All percentiles', parts.distributions(result))}
          ${parts.section('errors', 'Failures', parts.failures(result))}
          ${
            result.firstWrong &&
            parts.section(
              'wrong',
              'First wrong bytes',
              wrongBytes(result.firstWrong, run.reproduce),
            )
          }
          ${
            result.expectations.length > 0 &&
            parts.section('expectations', 'Expectations', parts.expectations(result))
          }
          ${parts.section('conditions', 'Conditions', parts.conditions(result))}
        </main>
      </body>
    </html> `.toString()
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
