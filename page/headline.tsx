/** The figures of the last second, in large type. */
import type { Second } from '../src/dashboard/api.ts'
import { formatCount, none, rateSizeText } from './format.ts'
import { seconds } from './state.ts'

interface Tile {
  name: string
  explanation: string
  text: (last: Second, all: readonly Second[]) => string
  /** How it is coloured when it is not 0. */
  tone?: 'waiting' | 'bad'
}

const tiles: Tile[] = [
  {
    name: 'Open',
    explanation: 'connected and being served',
    text: ({ open }) => formatCount(open),
  },
  {
    name: 'Waiting',
    explanation: 'connected, but not served yet',
    text: ({ waiting }) => (waiting === null ? none : formatCount(waiting)),
    tone: 'waiting',
  },
  {
    name: 'Echoes',
    explanation: 'pieces sent back, per second',
    text: ({ echoes }) => formatCount(echoes),
  },
  {
    name: 'In',
    explanation: 'bytes from the clients',
    text: ({ bytesIn }) => rateSizeText(bytesIn),
  },
  {
    name: 'Out',
    explanation: 'bytes back to them',
    text: ({ bytesOut }) => rateSizeText(bytesOut),
  },
  {
    name: 'Errors',
    explanation: 'connections that failed, in 15 minutes',
    text: (_, all) => formatCount(all.reduce((sum, { errors }) => sum + errors, 0)),
    tone: 'bad',
  },
]

export function Headline() {
  const all = seconds.value
  const last = all.at(-1)
  return (
    <dl class="headline">
      {tiles.map(({ name, explanation, text, tone = '' }) => {
        const value = last ? text(last, all) : none
        return (
          <div key={name} class={`tile ${value === '0' || value === none ? '' : tone}`}>
            <dt>{name}</dt>
            <dd class="value">{value}</dd>
            <dd class="explanation">{explanation}</dd>
          </div>
        )
      })}
    </dl>
  )
}
