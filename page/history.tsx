/** What is shown of the last minutes, in steps of a second. */
import { useSignal } from '@preact/signals'
import { Chart, type ChartCurve } from './chart.tsx'
import { formatCount, none, plural, rateSizeText, shortText } from './format.ts'
import { figures, span, type At } from './view.ts'

interface SecondCurve extends ChartCurve {
  of: (second: At) => number | null
}

interface Picture {
  title: string
  curves: SecondCurve[]
  text: (value: number) => string
}

const pictures: Picture[] = [
  {
    title: 'Clients',
    text: formatCount,
    curves: [
      { name: 'open', color: 'served', of: ({ open }) => open },
      { name: 'waiting', color: 'waiting', of: ({ waiting }) => waiting },
    ],
  },
  {
    title: 'Echoes per second',
    text: formatCount,
    curves: [{ name: 'echoes', color: 'served', of: ({ echoes }) => echoes }],
  },
  {
    title: 'Bytes per second',
    text: rateSizeText,
    curves: [
      { name: 'in', color: 'in', of: ({ bytesIn }) => bytesIn },
      { name: 'out', color: 'out', dashed: true, of: ({ bytesOut }) => bytesOut },
    ],
  },
  {
    title: 'Errors and injected faults per second',
    text: formatCount,
    curves: [
      { name: 'errors', color: 'bad', of: ({ errors }) => errors },
      { name: 'faults', color: 'waiting', of: ({ faultsInjected }) => faultsInjected },
    ],
  },
]

export const Charts = () => (
  <div class="charts">
    {pictures.map(picture => (
      <SecondChart key={picture.title} {...picture} />
    ))}
  </div>
)

/** The same as that of the timeline. */
const range = (_: unknown, _min: number | null, max: number | null): [number, number] => {
  const last = max ?? Date.now() / 1e3
  return [last - span.peek().ms / 1e3, last]
}

function SecondChart({ title, curves, text }: Picture) {
  /** The second under the pointer; null where it is not over a chart. */
  const pointed = useSignal<number | null>(null)
  const all = figures.value
  const shown = (pointed.value === null ? undefined : all[pointed.value]) ?? all.at(-1)
  const valueText = (value: number | null) => (value === null ? none : text(value))
  const data = [
    all.map(({ at }) => at / 1e3),
    ...curves.map(({ of }) => all.map(second => of(second))),
  ]
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        {curves.map(({ name, color, dashed, of }) => (
          <span key={name} class="legend">
            <i class={`key ${color} ${dashed ? 'dashed' : ''}`} /> {name}{' '}
            <b>{shown ? valueText(of(shown)) : none}</b>
          </span>
        ))}
      </figcaption>
      <Chart
        label={`${title}, ${summary(curves, all, valueText)}`}
        curves={curves}
        data={data}
        range={range}
        yText={shortText}
        syncKey="seconds"
        onPoint={index => (pointed.value = index)}
      />
    </figure>
  )
}

/** The chart in words, for screen readers. */
function summary(
  curves: SecondCurve[],
  all: readonly At[],
  text: (value: number | null) => string,
): string {
  const parts = curves.map(({ name, of }) => {
    const most = Math.max(0, ...all.map(second => of(second) ?? 0))
    return `${name}: at most ${text(most)}`
  })
  return `${plural(all.length, 'second')}; ${parts.join('; ')}`
}
