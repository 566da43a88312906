/** The table of outages: from when to when connections were without an echo. */
import { plural } from '../../vocabulary/units.ts'
import { classesText, secondsText } from '../outages.ts'
import type { OutageFigures } from '../result.ts'
import { figureTable } from './chart.ts'
import { countText, none, timeText } from './numbers.ts'
import { html, type Markup } from './markup.ts'

export const outages = ({ reconnects, lost, rows }: OutageFigures): Markup =>
  rows.length === 0
    ? html`<p>No connection broke.</p> `
    : html`${figureTable(
          [
            'begin',
            'open again',
            'end',
            'connections',
            'lost',
            'first echo',
            'broke',
            'failed dials',
          ],
          rows.map(row => [
            secondsText(row.beginSeconds),
            secondsText(row.openSeconds),
            secondsText(row.endSeconds),
            countText(row.connections),
            countText(row.lost),
            timeText(row.firstEchoUs),
            classesText(row.breaks),
            classesText(row.failedDials) || none,
          ]),
        )}
        <p class="aside">
          ${plural(reconnects, 'reconnect')}, ${plural(lost, 'message')} lost. Times are after the
          end of the warm-up. An outage ends with the first echo on a new connection.
        </p> `
