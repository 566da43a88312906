/** The listeners and the figures of each. If there are several, the page can show only one. */
import type { Figures, ListenerInfo } from '../src/dashboard/api.ts'
import { formatCount, none, rateSizeText } from './format.ts'
import { seconds, server } from './state.ts'
import { shown } from './view.ts'

const concurrencyText = (concurrency: number | null): string =>
  concurrency === null
    ? 'all clients at the same time'
    : concurrency === 1
      ? 'one client at a time; the others wait'
      : `${concurrency} clients at a time; the others wait`

export function Listeners() {
  const all = server.value?.listeners ?? []
  const [first, ...others] = all
  if (!first) return <p class="listeners">Not heard of the server yet.</p>
  if (others.length > 0) return <Table all={all} />
  return (
    <p class="listeners">
      <code>{first.url}</code> serves {concurrencyText(first.concurrency)}. Engine: {first.engine}.
      <Notes {...first} />
    </p>
  )
}

const Notes = ({ notes }: ListenerInfo) => (
  <>
    {notes.map(note => (
      <span key={note} class="note">
        {' '}
        {note}
      </span>
    ))}
  </>
)

const columns: [name: string, text: (figures: Figures) => string][] = [
  ['Open', ({ open }) => formatCount(open)],
  ['Waiting', ({ waiting }) => (waiting === null ? none : formatCount(waiting))],
  ['Echoes/s', ({ echoes }) => formatCount(echoes)],
  ['In', ({ bytesIn }) => rateSizeText(bytesIn)],
  ['Out', ({ bytesOut }) => rateSizeText(bytesOut)],
  ['Errors/s', ({ errors }) => formatCount(errors)],
]

function Table({ all }: { all: ListenerInfo[] }) {
  const last = seconds.value.at(-1)
  return (
    <div class="scroll listeners" tabIndex={0} role="group" aria-label="Listeners">
      <table>
        <thead>
          <tr>
            <th scope="col">Show</th>
            <th scope="col">Serves</th>
            <th scope="col">Engine</th>
            {columns.map(([name]) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Line index={null} name="All listeners" serves="" engine="" figures={last} />
          {all.map(info => (
            <Line
              key={info.index}
              index={info.index}
              name={info.url}
              serves={`${info.concurrency ?? 'all'} at a time`}
              engine={info.engine}
              figures={last?.listeners[info.index]}
            >
              <Notes {...info} />
            </Line>
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface LineProps {
  index: number | null
  name: string
  serves: string
  engine: string
  figures: Figures | undefined
  children?: preact.ComponentChildren
}

const Line = ({ index, name, serves, engine, figures, children }: LineProps) => (
  <tr class={shown.value === index ? 'chosen' : ''}>
    <td>
      <label>
        <input
          type="radio"
          name="shown"
          checked={shown.value === index}
          onChange={() => (shown.value = index)}
        />{' '}
        {index === null ? name : <code>{name}</code>}
      </label>
      {children}
    </td>
    <td>{serves}</td>
    <td>{engine}</td>
    {columns.map(([name, text]) => (
      <td key={name} class="number">
        {figures ? text(figures) : none}
      </td>
    ))}
  </tr>
)
