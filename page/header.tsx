/** Name, version, whether the page is live, and links to the sections. */
import { effect, signal } from '@preact/signals'
import { confirm } from './confirm.tsx'
import { ageText } from './format.ts'
import { change, messageOf } from './request.ts'
import { isLive, link, seconds, server, serverNow, type LinkState } from './state.ts'
import { span, spans } from './view.ts'

const sections = ['Bench', 'Timeline', 'Connections', 'Console', 'Faults']

const linkText: Record<LinkState, string> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'disconnected, trying again',
  refused: 'needs its token: open the link that the server printed, or /?token=TOKEN',
}

/** The title, visible while another tab is in front. */
effect(() => {
  const draining = server.value?.draining === true
  const state = link.value === 'lost' ? 'disconnected' : draining ? 'draining' : ''
  document.title = state ? `${state}: yodel` : 'yodel'
})

const problem = signal('')

export const Header = () => (
  <header class="bar">
    <h1>yodel</h1>
    <State />
    <nav aria-label="Sections">
      {sections.map(name => (
        <a key={name} href={`#${name.toLowerCase()}`}>
          {name}
        </a>
      ))}
    </nav>
    <Range />
    <Facts />
    <Drain />
  </header>
)

function State() {
  const draining = link.value === 'live' && server.value?.draining === true
  return (
    <p class={`state ${draining ? 'draining' : link.value}`} role="status">
      {draining ? 'draining: no new clients' : linkText[link.value]}
    </p>
  )
}

const Range = () => (
  <fieldset class="choice">
    <legend class="hidden">Charts and timeline show the last</legend>
    {spans.map(its => (
      <label key={its.ms}>
        <input
          type="radio"
          name="span"
          checked={span.value === its}
          onChange={() => (span.value = its)}
        />
        <span>{its.name}</span>
      </label>
    ))}
  </fieldset>
)

function Facts() {
  const info = server.value
  // Once a second, as the figures.
  void seconds.value
  return (
    <p class="facts">
      {info && `version ${info.version}, process ${info.pid}, up `}
      {info && <span class="figure">{ageText(serverNow() - info.startedAt)}</span>}
    </p>
  )
}

const drain = () =>
  void change('POST', '/api/drain').then(
    () => (problem.value = ''),
    (error: unknown) => (problem.value = messageOf(error)),
  )

const askToDrain = () =>
  confirm({
    title: 'Stop this server?',
    text:
      'It accepts no client from now on. Connected clients may finish; then the server ' +
      'exits, and this page has nothing more to show.',
    verb: 'Stop it',
    action: drain,
  })

function Drain() {
  const disabled = !isLive.value || server.value?.draining !== false
  return (
    <div class="drain">
      <button type="button" disabled={disabled} onClick={askToDrain}>
        Drain and stop
      </button>
      <p role="alert" class="problem">
        {problem}
      </p>
    </div>
  )
}
