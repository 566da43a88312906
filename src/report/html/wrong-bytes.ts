/** The first wrong bytes, next to those that were expected. */
import { plural } from '../../vocabulary/units.ts'
import type { FirstWrong } from '../result.ts'
import { countText } from './numbers.ts'
import { html, type Markup, type Content } from './markup.ts'
import { command } from './sections.ts'

const rowBytes = 8

const bytesOf = (hex: string): string[] => hex.match(/../g) ?? []

export function wrongBytes(wrong: FirstWrong, reproduce: string): Markup {
  const [before, expected] = [bytesOf(wrong.before), bytesOf(wrong.expected)]
  const received = bytesOf(wrong.received)
  // The first wrong byte begins a row; what came before fills the rows above it.
  const above = Math.ceil(before.length / rowBytes)
  const below = Math.max(1, Math.ceil(Math.max(expected.length, received.length) / rowBytes))
  const rows = Array.from({ length: above + below }, (_, row) => {
    const at = (row - above) * rowBytes
    const places = Array.from({ length: rowBytes }, (_, column) => at + column)
    const right = (place: number) => (place < 0 ? before.at(place) : expected[place])
    const came = (place: number) => (place < 0 ? before.at(place) : received[place])
    const shown = (place: number) => place >= -before.length
    const expectedText = places.map(place => byte(shown(place) ? right(place) : undefined))
    const receivedText = places.map(place =>
      marked(place, shown(place) ? came(place) : undefined, right(place)),
    )
    const offset = countText(Math.max(0, wrong.offset + at))
    return html`<tr${at < 0 && html` class="right"`}>
      <th scope="row">${offset}</th><td>${expectedText}</td><td>${receivedText}</td>
    </tr>`
  })
  return html`<p><strong>${wrong.cause}</strong>: ${wrong.detail}</p>
    <p>
      Connection ${countText(wrong.connection)}, byte ${countText(wrong.offset)} of its stream:
      ${
        received.length === 0
          ? `nothing came in its place${after(wrong.offset)}.`
          : html`expected <code>${expected[0] ?? 'nothing'}</code>, received
              <code>${received[0]}</code>.`
      }
    </p>
    <div class="scroll">
      <table class="hex">
        <thead>
          <tr>
            <th scope="col">offset</th>
            <th scope="col">expected</th>
            <th scope="col">received</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p class="aside">
      In hexadecimal. Framed: the first wrong byte. Underlined: others that differ.
    </p>
    <p>To do the same again:</p>
    ${command(reproduce)}`
}

const after = (offset: number): string =>
  offset === 0 ? '' : `, after ${plural(offset, 'byte')} that were right`

const byte = (hex: string | undefined): Content => `${hex ?? '  '} `

function marked(place: number, hex: string | undefined, right: string | undefined): Content {
  if (place === 0) return html`<mark>${hex ?? '··'}</mark> `
  if (place > 0 && hex !== undefined && hex !== right) return html`<u>${hex}</u> `
  return byte(hex)
}
