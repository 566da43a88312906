/** What was sent in one direction as a page: its rate second by second. */
import { axes, figure, figureTable, line, type ChartArea } from '../html/chart.ts'
import { clockText, countText, dateText, none, shareText } from '../html/numbers.ts'
import { sizeText, timeText } from '../html/numbers.ts'
import { html, type Markup, type Content } from '../html/markup.ts'
import { page } from '../html/page.ts'
import { linearScale, timeScale } from '../html/scale.ts'
import { command, definitions, expectations, bullets, section } from '../html/sections.ts'
import { vertical } from '../html/time-charts.ts'
import { failureNames } from '../../metrics/meter.ts'
import { formatCount, plural } from '../../vocabulary/units.ts'
import { formatBits } from './bits.ts'
import type { DirectionFigures } from './figures.ts'
import type { DirectionInterval, DirectionResult } from './result.ts'

const styles = { up: 'first', down: 'second' } as const
type StyledSide = keyof typeof styles

export function directionHtml(result: DirectionResult): string {
  const { run, verdict, failedBecause, notes, reasons } = result
  const word = verdict === 'pass' ? 'Pass' : 'Fail'
  return page(
    `yodel ${run.command} ${run.address}: ${run.direction}`,
    html`<header>
        <p class="aside">
          yodel ${run.command} --direction ${run.direction},
          <time datetime="${run.startedAt}">${dateText(run.startedAt)}</time>
        </p>
        <h1>${run.address}</h1>
        <div class="verdict ${verdict}">
          <p>
            <strong>${word}</strong>${verdict === 'pass' && ': every byte that arrived was right.'}
          </p>
          ${failedBecause.length > 0 && bullets(failedBecause)}
        </div>
      </header>
      ${section('figures', 'Figures', figures(result))}
      ${notes.length > 0 && section('notes', 'Notes', bullets(notes))}
      ${section('time', 'Second by second', chart(result))}
      ${section('errors', 'Failures', failures(result), reasons.length > 0 && bullets(reasons))}
      ${
        result.expectations.length > 0 &&
        section('expectations', 'Expectations', expectations(result))
      }
      ${section('conditions', 'Conditions', conditions(result))} `,
  )
}

const sidesOf = (result: DirectionResult): [StyledSide, DirectionFigures][] =>
  (['up', 'down'] as const).flatMap(side => {
    const found = result[side]
    return found ? [[side, found] as [StyledSide, DirectionFigures]] : []
  })

/** A column for each direction. */
function figures(result: DirectionResult): Markup {
  const sides = sidesOf(result).map(([, found]) => found)
  const row = (name: string, cell: (of: DirectionFigures) => Content): Content[] => [
    name,
    ...sides.map(cell),
  ]
  const rows = [
    row('rate', of => (of.bytesPerSecond === null ? none : formatBits(of.bytesPerSecond))),
    row('sent', of => (of.sentBytes === null ? none : sizeText(of.sentBytes))),
    row('arrived', of => sizeText(of.receivedBytes)),
    row('wrong bytes', of => countText(of.wrongBytes)),
    row('between arrivals, p50', of => timeText(of.gapUs.p50)),
    row('between arrivals, p99', of => timeText(of.gapUs.p99)),
    row('between arrivals, max', of => timeText(of.gapUs.max)),
  ]
  if (sides.some(({ tcp }) => tcp))
    rows.push(row('segments sent again', of => countText(of.tcp?.retransmits ?? Number.NaN)))
  if (sides.some(({ datagrams }) => datagrams)) rows.push(...datagramRows(row))
  return figureTable(['', ...sidesOf(result).map(([side]) => side)], rows)
}

function datagramRows(
  row: (name: string, cell: (of: DirectionFigures) => Content) => Content[],
): Content[][] {
  const of = (name: string, cell: (of: NonNullable<DirectionFigures['datagrams']>) => Content) =>
    row(name, ({ datagrams }) => (datagrams ? cell(datagrams) : none))
  return [
    of('datagrams', ({ sent }) => (sent === null ? none : countText(sent))),
    of('lost', ({ sent, lost }) =>
      sent === null || lost === null
        ? none
        : `${countText(lost)} (${shareText(sent > 0 ? lost / sent : 0)})`,
    ),
    of('came once more', ({ duplicated }) => countText(duplicated)),
    of('came after one that was sent later', ({ reordered }) => countText(reordered)),
    of('came with a wrong header', ({ wrongHeads }) => countText(wrongHeads)),
    of('jitter (RFC 3550)', ({ jitterUs }) => timeText(jitterUs)),
    of('delay above the least, p99', ({ variationUs }) => timeText(variationUs.p99)),
    of('the sender itself was late, p99', ({ lateUs }) =>
      lateUs === null ? none : timeText(lateUs),
    ),
  ]
}

function chart(result: DirectionResult): Markup {
  const { intervals } = result
  if (intervals.length === 0) return html`<p>It did not last for a whole second.</p>`
  const sides = sidesOf(result).map(([side]) => side)
  const bytesOf = (side: StyledSide) => (each: DirectionInterval) => each[`${side}Bytes`] ?? 0
  const most = Math.max(1, ...sides.flatMap(side => intervals.map(bytesOf(side))))
  const draw = (canvas: ChartArea) => {
    const { left, right, xTicks, yTicks } = canvas
    const x = timeScale({ max: intervals.length, from: left, to: right, ticks: xTicks })
    const y = linearScale({ min: 0, max: most * 8, ...vertical(canvas), ticks: yTicks })
    const clock = (at: number) => clockText(at, x.max)
    const time = { scale: x, name: 'time after the warm-up', text: clock }
    const rate = { scale: y, name: 'arrived', text: (bits: number) => formatBits(bits / 8) }
    const curve = (side: StyledSide) =>
      intervals
        .map(each => [each.second, y.at(bytesOf(side)(each) * 8)] as const)
        .map(([at, height], n) => `${n === 0 ? 'M' : 'L'}${x.at(at)} ${height}H${x.at(at + 1)}`)
        .join('')
    return html`${axes(canvas, time, rate)}${sides.map(side => line(styles[side], curve(side)))}`
  }
  return figure({
    id: 'rate',
    heading: 'Rate of what arrived',
    caption: 'By the clock of the end that received it, over all flows.',
    legend: sides.map(name => ({ name, style: styles[name] })),
    draw,
    table: figureTable(
      ['from', ...sides],
      intervals.map(each => [
        clockText(each.second, intervals.length),
        ...sides.map(side => formatBits(bytesOf(side)(each))),
      ]),
    ),
  })
}

function failures({ errors }: DirectionResult): Markup {
  const happened = failureNames.filter(name => errors[name] > 0)
  if (happened.length === 0) return html`<p>No flow failed.</p>`
  return bullets(happened.map(name => `${plural(errors[name], 'flow')} failed: ${name}`))
}

function conditions({ run }: DirectionResult): Markup {
  const { machine, versions } = run
  return html`${command(run.reproduce)}${definitions([
    ['started', html`<time datetime="${run.startedAt}">${dateText(run.startedAt)}</time>`],
    ['flows', `${plural(run.flows, 'flow')}, ${plural(run.threads, 'thread')}`],
    ['message', sizeText(run.sizeBytes)],
    [
      'rate',
      run.ratePerSecond === null ? 'as fast as it goes' : `${formatCount(run.ratePerSecond)}/s`,
    ],
    ['warm-up', timeText(run.warmupMs * 1e3)],
    ['duration', run.durationMs === null ? 'no limit' : timeText(run.durationMs * 1e3)],
    ['seed', String(run.seed)],
    ['system', machine.system],
    ['processor', `${machine.cpu}, ${countText(machine.cores)} cores`],
    [
      'versions',
      Object.entries(versions)
        .map(([name, text]) => `${name} ${text}`)
        .join(', '),
    ],
  ])}`
}
