/** The figures of the last second, in large type. */
import { placeText } from '../src/vocabulary/place.ts'
import { formatCount, none, rateSizeText, timeText } from './format.ts'
import * as probe from './probe.ts'
import { isLive } from './state.ts'
import { figures, span, type At } from './view.ts'

interface Tile {
  name: string
  explanation: string | (() => string)
  text: (last: At, all: readonly At[]) => string
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
    explanation: () => `connections that failed, in ${span.value.name}`,
    text: (_, all) => formatCount(all.reduce((sum, { errors }) => sum + errors, 0)),
    tone: 'bad',
  },
]

export function Headline() {
  const all = figures.value
  const last = all.at(-1)
  return (
    <dl class="headline">
      {tiles.map(({ name, explanation, text, tone = '' }) => {
        const value = last ? text(last, all) : none
        return (
          <div key={name} class={`tile ${value === '0' || value === none ? '' : tone}`}>
            <dt>{name}</dt>
            <dd class="value">{value}</dd>
            <dd class="explanation">
              {typeof explanation === 'string' ? explanation : explanation()}
            </dd>
          </div>
        )
      })}
      <Probe />
    </dl>
  )
}

function Probe() {
  const last = probe.rounds.value.at(-1)
  const isBad = probe.trouble.value !== null
  const isWaiting = probe.waiting.value !== null
  const isKnown = probe.isOn.value && last && !isBad && !isWaiting
  return (
    <div class={`tile probe ${isBad ? 'bad' : isWaiting ? 'waiting' : ''}`}>
      <dt>
        Round trip of the probe{' '}
        <label class="check">
          <input
            type="checkbox"
            checked={probe.isOn.value}
            disabled={!isLive.value}
            onChange={({ currentTarget }) => probe.turn(currentTarget.checked)}
          />{' '}
          on
        </label>
      </dt>
      <dd class="value">{isKnown ? timeText(last.us) : isBad ? 'no echo' : none}</dd>
      <dd class="explanation" title={explanation()}>
        {explanation()}
      </dd>
    </div>
  )
}

function explanation(): string {
  const { url, concurrency } = probe.probed.value ?? {}
  if (!probe.isOn.value)
    return typeof concurrency === 'number'
      ? `off: it would take one of ${concurrency} places`
      : "off: this page's own connection, a message a second"
  if (probe.waiting.value) return placeText(probe.waiting.value)
  if (probe.trouble.value !== null) return probe.trouble.value
  const times = probe.rounds.value.map(({ us }) => us).toSorted((a, b) => a - b)
  const median = timeText(times[Math.floor(times.length / 2)] ?? null)
  const longest = timeText(times.at(-1) ?? null)
  return `${url ?? ''}, a message a second; in a minute: median ${median}, longest ${longest}`
}
