/** The parts of the page that are words and tables. */
import { distributions as meanings, resultHistograms } from '../../metrics/counters.ts'
import { distributionIn } from '../result.ts'
import type { FailureName } from '../../metrics/meter.ts'
import { plural } from '../../vocabulary/units.ts'
import { leastBeyond } from '../rank.ts'
import { boundText } from '../own.ts'
import type { Distribution, GeneratorFigures, RunResult } from '../result.ts'
import { figureTable } from './chart.ts'
import { countText, dateText, none, rateText, shareText, sizeText, timeText } from './numbers.ts'
import { html, type Markup, type Content } from './markup.ts'

export const section = (id: string, heading: string, ...content: Content[]): Markup =>
  html`<section aria-labelledby="${id}">
    <h2 id="${id}">${heading}</h2>
    ${content}
  </section> `

export const bullets = (sentences: readonly string[]): Markup =>
  html`<ul>
    ${sentences.map(sentence => html`<li>${sentence}</li>`)}
  </ul> `

/** The verdict in one word. If the result is not valid, that comes first. */
export const verdictWord = ({ valid, verdict }: RunResult): string =>
  valid ? verdict : verdict === 'fail' ? 'INVALID, and failed' : 'INVALID'

export function verdict(result: RunResult): Markup {
  const { valid, invalidBecause, failedBecause } = result
  const kind = valid ? result.verdict : 'invalid'
  const word = verdictWord(result)
  return html`<div class="verdict ${kind}">
    <p>
      <strong>${valid ? `${word[0]!.toUpperCase()}${word.slice(1)}` : word}</strong>${
        !valid
          ? ': the figures are not the server’s.'
          : kind === 'pass' && `: ${passedBecause(result)}`
      }
    </p>
    ${invalidBecause.length > 0 && bullets(invalidBecause)}
    ${
      failedBecause.length > 0 &&
      html`${!valid && html`<p>It also <strong>failed</strong>:</p>`}${bullets(failedBecause)}`
    }
  </div> `
}

const passedBecause = ({ messages }: RunResult): string =>
  messages.lost > 0
    ? 'what came back is right, byte for byte, and no more was lost than allowed.'
    : 'all that was sent came back, byte for byte.'

/** What became of datagrams, a sentence each; nothing for other transports. */
export function datagrams({ datagrams: figures }: RunResult): Content {
  if (!figures) return false
  return html`${definitions([
    ['lost', countText(figures.lost)],
    ['came after the timeout', countText(figures.late)],
    ['came once more', countText(figures.duplicated)],
    ['came after one that was sent later', countText(figures.reordered)],
    ['came with other bytes', countText(figures.corrupted)],
  ])}`
}

export function headline({ responseUs, messages, errors, ...result }: RunResult): Markup {
  const failures = Object.values(errors).reduce((sum, count) => sum + count, 0)
  const { achievedPerSecond: achieved } = result.rates
  const mark = marker(result.generator)
  const figures: [name: string, text: string, bad?: boolean][] = [
    ['messages per second', achieved === null ? none : `${rateText(achieved)}${mark('rate')}`],
    ['p50', `${timeText(responseUs.p50)}${mark('p50')}`],
    ['p99', `${timeText(responseUs.p99)}${mark('p99')}`],
    ['p99.9', `${timeText(responseUs.p999)}${mark('p99.9')}`],
    ['max', `${timeText(responseUs.max)}${mark('max')}`],
    ['messages came back', countText(messages.received)],
    ['lost', countText(messages.lost), messages.lost > 0],
    ['failures', countText(failures), failures > 0],
  ]
  return html`<dl class="headline">
      ${figures.map(
        ([name, text, bad]) =>
          html`<div${bad && html` class="bad"`}><dt>${name}</dt><dd>${text}</dd></div>
`,
      )}
    </dl>
    <p class="aside">
      Times are response times: from the planned instant of a message until it had come back whole.
      Measured for ${timeText(result.seconds * 1e6)}.${ownAside(result.generator)}
    </p> `
}

/** The mark behind a figure that is the generator's own. */
const marker =
  ({ own }: GeneratorFigures) =>
  (name: string): string =>
    own?.some(({ figure }) => figure === name) ? ' *' : ''

const ownAside = ({ own = [] }: GeneratorFigures): Content =>
  own.length > 0 &&
  html` <b>*</b> The generator’s own figure. Without its share: ${own.map(boundText).join(', ')}.`

const percentiles = [
  ['p50', 'p50'],
  ['p90', 'p90'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ['p99.99', 'p9999'],
  ['p99.999', 'p99999'],
] as const

export function distributionSection(result: RunResult): Markup {
  const all: [name: string, of: Distribution, meaning: string][] = [
    ['response', result.responseUs, 'from the planned instant of a message until it has come back'],
    ['service', result.serviceUs, 'from the actual send'],
    ['lateness', result.latenessUs, 'how late the generator itself was'],
    ['connect', result.connectUs, 'until a connection is established'],
  ]
  for (const name of resultHistograms('sometimes')) {
    const times = distributionIn(result, `${name}Us`)
    if (times) all.push([name, times, meanings[name].help])
  }
  // Older results have the distribution only in `churn`.
  if (result.churn && !distributionIn(result, 'churnUs'))
    all.push(['churn', result.churn.durationUs, 'a short connection, from its planned instant on'])
  const mark = marker(result.generator)
  const isOpenLoop = result.rates.plannedPerSecond !== null
  const service = isOpenLoop ? 'service.' : ''
  const prefixes: Record<string, string> = {
    response: '',
    service,
    connect: 'connect.',
    churn: 'churn.',
  }
  const row = (name: string, cell: (of: Distribution) => string): Content[] => [
    name,
    ...all.map(([of, times]) => {
      const prefix = prefixes[of]
      return `${cell(times)}${prefix === undefined ? '' : mark(prefix + name)}`
    }),
  ]
  const table = figureTable(
    ['', ...all.map(([name]) => name)],
    [
      row('samples', of => countText(of.count)),
      row('min', of => timeText(of.min)),
      row('mean', of => timeText(of.mean)),
      ...percentiles.map(([name, key]) => row(name, of => timeText(of[key]))),
      row('max', of => timeText(of.max)),
    ],
  )
  return html`${table}
    <p class="aside">
      ${all.map(
        ([name, , meaning], index) => html`${index > 0 && '; '}<b>${name}</b>: ${meaning}`,
      )}.
      A percentile is left out where fewer than ${leastBeyond} samples lie beyond it.
    </p> `
}

const failureMeanings: Record<FailureName, string> = {
  refused: 'no process accepted the connection',
  reset: 'the other side reset the connection',
  timedOut: 'no answer within the timeout',
  closedEarly: 'the other side closed the connection while messages were in flight',
  wrongBytes: 'what came back is not what was sent',
  nameNotFound: 'the name of the host is not known',
  noDescriptors: 'the generator had no descriptors left (ulimit -n)',
  protocol: 'the peer broke the protocol',
  status: 'the answer had an error status',
  other: 'something else',
  unanswered: 'messages were unanswered when the run ended',
}

export function failureSection(result: RunResult): Markup {
  const { errors, messages, bytes, churn, corruption, http } = result
  const happened = (Object.entries(errors) as [FailureName, number][]).filter(
    ([, count]) => count !== 0,
  )
  const counts: [string, Content][] = [
    ['planned', countText(messages.planned)],
    ['sent', `${countText(messages.sent)} (${sizeText(bytes.sent)})`],
    ['came back', `${countText(messages.received)} (${sizeText(bytes.received)})`],
    ['lost', countText(messages.lost)],
    ['unfinished', countText(messages.unfinished)],
    ['deferred', countText(messages.deferred)],
  ]
  if (corruption) {
    const { corruptedBytes, flippedBits } = corruption
    const flipped = `${plural(flippedBits, 'bit')} flipped`
    counts.push(['corrupted', `${plural(corruptedBytes, 'byte')}, ${flipped}`])
  }
  if (http && http.reconnects > 0)
    counts.push(['reconnects', `${countText(http.reconnects)} (${http.sentAgain} sent again)`])
  if (churn)
    counts.push([
      'short connections',
      `${countText(churn.completed)} of ${countText(churn.planned)} got through`,
    ])
  const table = figureTable(
    ['class', 'connections', 'meaning'],
    happened.map(([name, count]) => [name, countText(count), failureMeanings[name] ?? '']),
  )
  return html`${happened.length > 0 ? table : html`<p>No connection failed.</p>`}
    <h3>Messages</h3>
    ${definitions(counts)}`
}

export const expectations = ({ expectations }: Pick<RunResult, 'expectations'>): Markup =>
  figureTable(
    ['expected', 'measured', ''],
    expectations.map(({ objective, measuredText, held, ownFault }) => [
      html`<code>${objective}</code>`,
      measuredText,
      held
        ? 'held'
        : html`<strong class="missed"
            >${ownFault ? 'INVALID: missed by the generator itself' : 'missed'}</strong
          >`,
    ]),
  )

export const definitions = (pairs: [name: string, value: Content][]): Markup =>
  html`<dl class="pairs">
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div> `,
    )}
  </dl> `

/** `churnPerSecond` → `churn per second`; a unit at the end goes to the value. */
function optionPair([name, value]: [string, unknown]): [string, Content] {
  const words = (text: string) =>
    text.replace(/(?<=[a-z])[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
  if (value === null || value === Infinity)
    return [words(name.replace(/(Ms|Bytes)$/, '')), 'unlimited']
  if (typeof value === 'number' && name.endsWith('Ms'))
    return [words(name.slice(0, -2)), timeText(value * 1e3)]
  if (typeof value === 'number' && name.endsWith('Bytes'))
    return [words(name.slice(0, -5)), sizeText(value)]
  if (name === 'sizes' && Array.isArray(value)) return [name, value.map(sizeOf).join(', ')]
  if (typeof value === 'number') return [words(name), rateText(value)]
  return [words(name), typeof value === 'string' ? value : JSON.stringify(value)]
}

function sizeOf(range: unknown, _index: number, all: unknown[]): string {
  const { minBytes, maxBytes, weight } = (range ?? {}) as Record<string, number>
  if (minBytes === undefined || maxBytes === undefined) return JSON.stringify(range)
  const size = minBytes === maxBytes ? '' : `${sizeText(minBytes)} to `
  return `${size}${sizeText(maxBytes)}${all.length > 1 ? ` (weight ${weight})` : ''}`
}

/** Lines are not broken within a flag, as browsers do after a hyphen. */
export const command = (text: string): Markup =>
  html`<pre class="command"><code>${text
    .split(/(?<= )|(?= )/)
    .map(word =>
      word.startsWith('-') ? html`<span class="flag">${word}</span>` : word,
    )}</code></pre> `

export function conditions({ run, resolution, generator }: RunResult): Markup {
  const { machine, versions, options } = run
  const share = generator.cpuShare
  const shownAbove = ['engine', 'threads']
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !shownAbove.includes(name),
  )
  return html`${command(run.reproduce)}${definitions([
      ['started', html`<time datetime="${run.startedAt}">${dateText(run.startedAt)}</time>`],
      ['address', run.address],
      ['engine', `${run.engine}, ${countText(run.threads)} thread${run.threads === 1 ? '' : 's'}`],
      ['seed', String(run.seed)],
      ['system', machine.system],
      ['processor', `${machine.cpu}, ${countText(machine.cores)} cores`],
      ['memory', sizeText(machine.memoryBytes)],
      [
        'versions',
        Object.entries(versions)
          .map(([name, text]) => `${name} ${text}`)
          .join(', '),
      ],
      ['generator busy', share === null ? none : `${shareText(share)} of each of its threads`],
      [
        'resolution of times',
        `within ${shareText(resolution.relativeError)}, from ${timeText(resolution.lowestUs)}` +
          ` to ${timeText(resolution.highestUs)}`,
      ],
    ])}
    <h3>Options</h3>
    ${definitions(given.map(optionPair))}`
}
