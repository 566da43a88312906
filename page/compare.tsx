/** Two runs of bench: the figures of both, and their response times as curves. */
import type { BenchRun, RunComparison } from '../src/dashboard/api.ts'
import { Chart } from './chart.tsx'
import { clockText, formatCount, none, shortTime, timeText } from './format.ts'
import { loadText } from './bench-run.tsx'
import type { ComparedRuns } from './runs.ts'
import { Words } from './words.tsx'

type Change = RunComparison['others'][number]['changes'][number]

export function Comparison({ runs, about, times }: ComparedRuns) {
  const [before, after] = runs
  return (
    <div class="comparison" role="group" aria-label="Comparison">
      <div class="compared">
        <table>
          <thead>
            <tr>
              <th scope="col" />
              <Head of={before} name="before" color="out" />
              <Head of={after} name="after" color="served" />
              <th scope="col" colSpan={2}>
                change
              </th>
            </tr>
          </thead>
          <tbody>
            {about.others[0]!.changes.map(change => (
              <Line key={change.metric} {...change} />
            ))}
          </tbody>
        </table>
        <Curves times={times} />
      </div>
      {about.warnings.map(warning => (
        <p key={warning} class="problem">
          {warning}
        </p>
      ))}
      <p class="hint">
        <Words text={about.noClaimBecause} />
      </p>
    </div>
  )
}

const Head = ({ of, name, color }: { of: BenchRun; name: string; color: string }) => (
  <th scope="col" class="number" title={`${loadText(of.options)}, ${of.address}`}>
    <i class={`key ${color}`} /> {name}
    <span class="aside">{clockText(of.startedAt)}</span>
  </th>
)

function Line({ metric, kind, baseline, value, change }: Change) {
  const text = (figure: number | null) =>
    figure === null
      ? none
      : kind === 'time'
        ? timeText(figure)
        : `${formatCount(figure)}${kind === 'rate' ? '/s' : ''}`
  return (
    <tr>
      <th scope="row">{metric}</th>
      <td class="number">{text(baseline)}</td>
      <td class="number">{text(value)}</td>
      <td class="number">{changeText(baseline, value, change)}</td>
      <td>{change !== null && <Bar change={change} />}</td>
    </tr>
  )
}

function changeText(baseline: number | null, value: number | null, change: number | null): string {
  if (change === null) return baseline !== null && baseline === value ? 'same' : none
  if (change >= 9) return `${formatCount(change + 1)} times`
  const percent = (change * 100).toFixed(Math.abs(change) < 0.9995 ? 1 : 0)
  return Number(percent) === 0 ? '0.0 %' : `${change > 0 ? '+' : '−'}${percent.replace('-', '')} %`
}

/** The bar ends where it is four times as much, or a quarter. */
const widest = Math.log(4)

/** Twice as much goes as far to the right as half as much to the left. */
function Bar({ change }: { change: number }) {
  const far = Math.max(-1, Math.min(1, Math.log(Math.max(1 + change, 1e-9)) / widest))
  const left = `${50 + Math.min(far, 0) * 50}%`
  return (
    <span class="change" aria-hidden="true">
      <i style={{ left, width: `${Math.abs(far) * 50}%` }} />
    </span>
  )
}

/** 0, 1, 2, 3 → 0 %, 90 %, 99 %, 99.9 % */
const nameOfNines = (nines: number): string =>
  nines <= 2 ? `${100 - 10 ** (2 - nines)} %` : `99.${'9'.repeat(nines - 2)} %`
/** Points of a curve for each nine. */
const density = 40

/** The response time that a share of the messages did not exceed. */
function Curves({ times }: { times: ComparedRuns['times'] }) {
  const both = times.map(({ histograms }) => histograms.responseUs)
  const counts = both.map(buckets => buckets.reduce((sum, [, count]) => sum + count, 0))
  const nines = Math.max(1, Math.log10(Math.max(...counts)))
  const places = Array.from({ length: Math.floor(nines * density) + 1 }, (_, n) => n / density)
  const data = [places, ...both.map((buckets, side) => quantiles(buckets, counts[side]!, places))]
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">Response time that a share of the messages did not exceed</span>
      </figcaption>
      <Chart
        // Another pair of runs is another chart.
        key={counts.join()}
        label="Percentiles of the response time, before and after"
        curves={[
          { name: 'before', color: 'out', dashed: true },
          { name: 'after', color: 'served' },
        ]}
        data={data}
        range={() => [0, nines]}
        yText={shortTime}
        xText={nameOfNines}
      />
    </figure>
  )
}

/** Nearest rank, at shares of 1 − 10^−place; null where a share is less than a message. */
function quantiles(buckets: [us: number, count: number][], count: number, places: number[]) {
  let [index, seen] = [0, buckets[0]?.[1] ?? 0]
  return places.map(place => {
    const above = count * 10 ** -place
    if (above < 1 - 1e-9) return null
    const rank = Math.max(1, Math.ceil(count - above))
    while (seen < rank && index + 1 < buckets.length) seen += buckets[++index]![1]
    return buckets[index]?.[0] ?? null
  })
}
