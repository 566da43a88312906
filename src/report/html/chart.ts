/** What all charts have in common: the frame, the axes, the legend and what is said about them. */
import { html, type Markup, type Content } from './markup.ts'
import type { Scale } from './scale.ts'

/** Each chart is drawn twice, so that its words can be read on a phone as on a screen. */
export interface ChartArea {
  name: 'wide' | 'narrow'
  width: number
  height: number
  left: number
  right: number
  top: number
  bottom: number
  xTicks: number
  yTicks: number
}

const wide: ChartArea = {
  name: 'wide',
  width: 880,
  height: 300,
  left: 64,
  right: 864,
  top: 30,
  bottom: 252,
  xTicks: 10,
  yTicks: 5,
}
const narrow: ChartArea = {
  ...wide,
  name: 'narrow',
  width: 400,
  height: 290,
  right: 390,
  bottom: 242,
  xTicks: 5,
}

/** Colour and dash pattern; see styles.ts. */
export type LineStyle = 'first' | 'second' | 'third' | 'plan'

export interface LegendEntry {
  name: string
  style: LineStyle
}

export interface ChartFigure {
  /** Unique on the page. */
  id: string
  heading: string
  /** What the chart shows, in a sentence or two with its figures. */
  caption: string
  legend?: LegendEntry[]
  draw: (canvas: ChartArea) => Markup
  /** The content of the chart as a table. */
  table?: Markup
  /** What the table shows, if it does not show all. */
  tableName?: string
}

export function figure({
  id,
  heading,
  caption,
  legend = [],
  draw,
  table,
  ...rest
}: ChartFigure): Markup {
  return html`<figure id="${id}">
    <h3>${heading}</h3>
    ${legend.length > 0 && legendList(legend)}
    ${[wide, narrow].map(canvas => picture(id, heading, caption, canvas, draw(canvas)))}
    <figcaption>${caption}</figcaption>
    ${
      table &&
      html`<details>
        <summary>${rest.tableName ?? 'The figures of this chart'}</summary>
        ${table}
      </details>`
    }
  </figure> `
}

const picture = (
  id: string,
  heading: string,
  caption: string,
  canvas: ChartArea,
  content: Markup,
) =>
  html`<svg
    class="chart ${canvas.name}"
    viewBox="0 0 ${canvas.width} ${canvas.height}"
    role="img"
    aria-labelledby="${id}-${canvas.name}-title ${id}-${canvas.name}-desc"
  >
    <title id="${id}-${canvas.name}-title">${heading}</title>
    <desc id="${id}-${canvas.name}-desc">${caption}</desc>
    ${content}
  </svg> `

const legendList = (entries: LegendEntry[]): Markup =>
  html`<ul class="legend">
    ${entries.map(
      ({ name, style }) =>
        html`<li>
          <svg class="key" viewBox="0 0 34 8" aria-hidden="true">
            <path class="line ${style}" d="M0 4H34" /></svg
          >${name}
        </li>`,
    )}
  </ul>`

export interface Axis {
  scale: Scale
  /** What is measured, and its unit where the ticks do not have it. */
  name: string
  text(value: number): string
}

/** Grid and words; the curves are drawn over it. */
export function axes(canvas: ChartArea, x: Axis, y: Axis): Markup {
  const { left, right, top, bottom } = canvas
  const rows = y.scale.ticks.map(tick => {
    const at = y.scale.at(tick)
    return html`<path class="grid" d="M${left} ${at}H${right}" /><text
        class="end"
        x="${left - 8}"
        y="${at + 4.5}"
        >${y.text(tick)}</text
      > `
  })
  const columns = x.scale.ticks.map(tick => {
    const at = x.scale.at(tick)
    const end = at > right - 12 ? 'end' : 'middle'
    return html`<path class="tick" d="M${at} ${bottom}v5" /><text
        class="${end}"
        x="${end === 'end' ? right + 6 : at}"
        y="${bottom + 20}"
        >${x.text(tick)}</text
      > `
  })
  return html`<g class="axes"
    >${rows}${columns}<path class="axis" d="M${left} ${bottom}H${right}" />
    <text x="2" y="${top - 16}">${y.name}</text>
    <text class="end" x="${right + 6}" y="${bottom + 40}">${x.name}</text></g
  > `
}

export const line = (style: LineStyle, path: string): Markup =>
  html`<path class="line ${style}" d="${path}" /> `

/** A table of figures: the first column names the row. */
export const figureTable = (head: string[], rows: Content[][]): Markup =>
  html`<div class="scroll">
    <table class="figures">
      <thead>
        <tr>
          ${head.map(name => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${cells.map(cell => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`
