/** The console: type a line, see its echo and how long it took. */
import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { escapeText } from '../src/vocabulary/escape.ts'
import { placeText } from '../src/vocabulary/place.ts'
import { Chart } from './chart.tsx'
import { none, shortTime, timeText } from './format.ts'
import { chooseListener, lines, listener, place, send, type Line } from './console-client.ts'
import { isLive, server } from './state.ts'

export const Console = () => (
  <section id="console" aria-labelledby="console-title" class="panel">
    <div class="head">
      <h2 id="console-title">Console</h2>
      <p class="summary">What you send should come back.</p>
      <ListenerChoice />
    </div>
    <p class="log-head" aria-hidden="true">
      <span>sent</span>
      <span>came back</span>
      <span class="time">round trip</span>
    </p>
    <Log />
    <Prompt />
    <RoundTrips />
  </section>
)

const ListenerChoice = () => (
  <label>
    <span class="hidden">Listener</span>
    <select
      value={listener.value}
      onChange={({ currentTarget }) => chooseListener(Number(currentTarget.value))}
    >
      {server.value?.listeners.map(({ index, url }) => (
        <option key={index} value={index}>
          {url}
        </option>
      ))}
    </select>
  </label>
)

function Log() {
  const list = useRef<HTMLDivElement>(null)
  const all = lines.value
  useLayoutEffect(() => {
    list.current!.scrollTop = list.current!.scrollHeight
  }, [all])
  return (
    <div class="log" ref={list} role="log" aria-label="Messages and echoes" tabIndex={0}>
      {all.length === 0 && <p class="empty">Nothing sent yet.</p>}
      <ol>
        {all.map(line => (
          <li key={line.number}>
            <span class="sent">{escapeText(line.sent)}</span>
            <Reply {...line} />
          </li>
        ))}
      </ol>
    </div>
  )
}

function Reply({ reply }: Line) {
  if (!reply) return <span class="reply">{place.value ? placeText(place.value) : 'under way'}</span>
  if (reply.error !== null) return <span class="reply problem">{reply.error}</span>
  return (
    <>
      <span class={reply.wrong ? 'reply problem' : 'reply'}>{reply.text}</span>
      <span class="time">{timeText(reply.roundTripUs)}</span>
    </>
  )
}

const repeatMs = 1000
/** The server keeps this many messages that wait for earlier ones. */
const mostPending = 32

function Prompt() {
  const text = useSignal('hello')
  const repeats = useSignal(false)
  /** How far back the arrow keys have gone; 0: at what is being typed. */
  const back = useSignal(0)
  useEffect(() => {
    if (!repeats.value) return undefined
    // The sent text is removed from the field.
    const next = () => text.peek() || lines.peek().at(-1)?.sent || 'hello'
    const isFree = () => isLive.peek() && lines.peek().every(({ reply }) => reply !== null)
    const timer = setInterval(() => isFree() && send(next()), repeatMs)
    return () => clearInterval(timer)
  }, [repeats.value])
  const pending = lines.value.filter(({ reply }) => reply === null).length
  const isReady = isLive.value && pending < mostPending
  const recall = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0
    const sent = [...new Set(lines.peek().map(line => line.sent))].toReversed()
    const next = back.value + step
    if (step === 0 || next < 0 || next > sent.length) return
    event.preventDefault()
    back.value = next
    text.value = next === 0 ? '' : sent[next - 1]!
  }
  return (
    <form
      class="prompt"
      onSubmit={event => {
        event.preventDefault()
        if (!isReady) return
        send(text.value)
        text.value = ''
        back.value = 0
      }}
    >
      <input
        aria-label="Message; Enter sends it, the arrow keys bring back earlier ones"
        placeholder="a message"
        value={text.value}
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget }) => (text.value = currentTarget.value)}
        onKeyDown={recall}
      />
      <button type="submit" disabled={text.value === '' || !isReady}>
        Send
      </button>
      <label class="check">
        <input
          type="checkbox"
          checked={repeats.value}
          onChange={({ currentTarget }) => (repeats.value = currentTarget.checked)}
        />{' '}
        every second
      </label>
    </form>
  )
}

const range = (_: unknown, min: number | null, max: number | null): [number, number] => {
  const last = max ?? 0
  return [(min ?? 1) - 0.5, Math.max(last, (min ?? 1) + 19) + 0.5]
}

function RoundTrips() {
  const done = lines.value.filter(({ reply }) => reply?.error === null)
  if (done.length === 0) return null
  const times = done.map(({ reply }) => reply!.roundTripUs)
  const sorted = times.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? null
  const facts = [
    ['last', times.at(-1) ?? null],
    ['median', median],
    ['longest', sorted.at(-1) ?? null],
  ] as const
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">Round trips of the console</span>
        {facts.map(([name, us]) => (
          <span key={name} class="legend">
            {name} <b>{us === null ? none : timeText(us)}</b>
          </span>
        ))}
      </figcaption>
      <Chart
        label={`Round trips of ${done.length} messages, median ${timeText(median)}`}
        curves={[{ name: 'round trip', color: 'served' }]}
        data={[done.map(({ number }) => number), times]}
        range={range}
        yText={shortTime}
        xText={String}
        dotted
      />
    </figure>
  )
}
