/** A line chart that follows its data, the width of its place and the colours of the page. */
import { useSignalEffect } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import uPlot, { type AlignedData, type Options, type Range } from 'uplot'
import { canvasFont, color, isDark } from './theme.ts'

export interface ChartCurve {
  name: string
  /** Its name in styles/colors.css. */
  color: string
  /** So that two curves that lie on each other are both seen. */
  dashed?: boolean
}

interface Props {
  /** What it shows, for screen readers. */
  label: string
  curves: ChartCurve[]
  /** The places on the x axis, then a row for each curve. */
  data: (number | null)[][]
  range: Range.Function
  yText: (value: number) => string
  /** Charts with the same key share the pointer. */
  syncKey?: string
  /** What the x axis has at a whole number, if it does not tell the time. */
  xText?: (value: number) => string
  /** Each point is marked. */
  dotted?: boolean
  /** The index under the pointer. */
  onPoint?: (index: number | null) => void
}

const heightPx = 150

export function Chart(props: Props) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const latest = useRef(props)
  latest.current = props

  useSignalEffect(() => {
    void isDark.value
    plot.current?.destroy()
    const width = place.current!.clientWidth
    plot.current = new uPlot(
      { ...optionsOf(latest.current), width, height: heightPx },
      latest.current.data as unknown as AlignedData,
      place.current!,
    )
  })
  useLayoutEffect(() => {
    plot.current?.setData(props.data as unknown as AlignedData)
  }, [props.data])
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) =>
      plot.current?.setSize({ width: Math.floor(entry!.contentRect.width), height: heightPx }),
    )
    observer.observe(place.current!)
    return () => {
      observer.disconnect()
      plot.current?.destroy()
    }
  }, [])
  return <div class="plot" role="img" aria-label={props.label} ref={place} />
}

function optionsOf({ curves, range, yText, xText, syncKey, dotted, onPoint }: Props) {
  const [muted, grid] = [color('muted'), color('grid')]
  const axis = { stroke: muted, font: canvasFont, grid: { stroke: grid, width: 1 } }
  return {
    legend: { show: false },
    padding: [8, 28, 0, 0],
    cursor: {
      drag: { x: false, y: false },
      points: { size: 6 },
      ...(syncKey === undefined ? {} : { sync: { key: syncKey } }),
    },
    hooks: { setCursor: [({ cursor }: uPlot) => onPoint?.(cursor.idx ?? null)] },
    scales: {
      x: { time: xText === undefined, range },
      y: { range: (_: uPlot, _min: number, max: number): [number, number] => [0, top(max)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        ticks: { show: false },
        size: 26,
        gap: 8,
        values: (_: uPlot, splits: number[]) => splits.map(xText ?? timeOfDay),
        ...(xText ? { incrs: roundSteps } : {}),
        space: 64,
      },
      {
        ...axis,
        ticks: { show: false },
        size: 46,
        incrs: roundSteps,
        gap: 4,
        space: 28,
        values: (_: uPlot, splits: number[]) => splits.map(yText),
      },
    ],
    series: [
      {},
      ...curves.map(({ name, color: stroke, dashed }) => ({
        label: name,
        stroke: color(stroke),
        width: 1.5,
        fill: `${color(stroke)}1c`,
        points: { show: dotted === true, size: 5 },
        ...(dashed ? { dash: [4, 3] } : {}),
      })),
    ],
  } satisfies Omit<Options, 'width' | 'height'>
}

/** Room above the highest point; a chart of nothing has an axis too. */
const top = (max: number | null): number => (max === null || max <= 0 ? 1 : max * 1.1)

const timeOfDay = (second: number): string =>
  new Date(second * 1e3).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: second % 60 === 0 ? undefined : '2-digit',
  } as Intl.DateTimeFormatOptions)

/** There is no half of a client: 1, 2, 5, 10 ... */
const roundSteps = Array.from({ length: 36 }, (_, n) => [1, 2, 5][n % 3]! * 10 ** Math.floor(n / 3))
