/** The listeners, how many clients each serves at a time, and their notes. */
import { server } from './state.ts'

export const concurrencyText = (concurrency: number | null): string =>
  concurrency === null
    ? 'all clients at the same time'
    : concurrency === 1
      ? 'one client at a time; the others wait'
      : `${concurrency} clients at a time; the others wait`

export const ListenerList = () => (
  <ul class="listeners">
    {server.value?.listeners.map(({ index, url, engine, concurrency, notes }) => (
      <li key={index}>
        <code>{url}</code> serves {concurrencyText(concurrency)}. Engine: {engine}.
        {notes.map(note => (
          <span key={note} class="note">
            {' '}
            {note}
          </span>
        ))}
      </li>
    )) ?? <li>Not heard of the server yet.</li>}
  </ul>
)
