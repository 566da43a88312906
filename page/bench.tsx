/** Load on this server, from the page: start it, watch it, keep it, compare it. */
import type { BenchRun, BenchWanted } from '../src/dashboard/api.ts'
import { clockText, formatCount, none, plural, sizeText, timeText } from './format.ts'
import * as runs from './runs.ts'
import { benches, server } from './state.ts'

export const Bench = () => (
  <section id="bench" aria-labelledby="bench-title" class="panel">
    <div class="head">
      <h2 id="bench-title">Bench</h2>
      <p class="summary">Load from this machine; every byte that comes back is checked.</p>
    </div>
    <Form />
    <p role="alert" class="problem">
      {runs.problem}
    </p>
    <Runs />
    {runs.comparison.value && (
      <pre class="comparison" tabIndex={0} aria-label="Comparison">
        {runs.comparison}
      </pre>
    )}
  </section>
)

interface FieldInfo {
  name: runs.Field
  label: string
  value: string
  hint: string
}

const fields: FieldInfo[] = [
  { name: 'connections', label: 'Connections', value: '10', hint: 'at the same time' },
  { name: 'size', label: 'Message', value: '64', hint: '64, 16k, 1MiB' },
  { name: 'rate', label: 'Rate', value: '', hint: 'empty: no limit' },
  { name: 'duration', label: 'Duration', value: '10s', hint: '500ms, 10s, 5m' },
]

function Form() {
  const running = benches.value.some(({ state }) => state === 'running')
  const start = (event: SubmitEvent & { currentTarget: HTMLFormElement }) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => form.get(name) as string
    const texts = Object.fromEntries(fields.map(({ name }) => [name, text(name)]))
    void runs.start(text('address'), texts as Record<runs.Field, string>)
  }
  return (
    <form class="bench" onSubmit={start}>
      <Address />
      {fields.map(({ name, label, value, hint }) => (
        <label key={name}>
          <span class="label">{label}</span>
          <input
            name={name}
            defaultValue={value}
            size={8}
            aria-describedby={`bench-${name}`}
            spellcheck={false}
          />
          <span class="hint" id={`bench-${name}`}>
            {hint}
          </span>
        </label>
      ))}
      <button type="submit" class="main" disabled={running || !server.value}>
        {running ? 'Running' : 'Start'}
      </button>
    </form>
  )
}

function Address() {
  const urls = server.value?.listeners.map(({ url }) => url) ?? []
  const anywhere = server.value?.benchAnywhere === true
  return (
    <label>
      <span class="label">Address</span>
      {anywhere ? (
        <input name="address" list="own" key={urls[0]} defaultValue={urls[0]} spellcheck={false} />
      ) : (
        <select name="address">
          {urls.map(url => (
            <option key={url}>{url}</option>
          ))}
        </select>
      )}
      <datalist id="own">
        {urls.map(url => (
          <option key={url} value={url} />
        ))}
      </datalist>
      <span class="hint">{anywhere ? 'any address' : "one of this server's own"}</span>
    </label>
  )
}

const heads = ['Compare', 'Started', 'Load', 'State', 'Rate', 'p50', 'p99', 'Messages', 'Result']

function Runs() {
  const all = benches.value
  if (all.length === 0) return <p class="empty">No runs yet.</p>
  const chosen = runs.chosen.value
  return (
    <>
      <div class="scroll" tabIndex={0} role="group" aria-label="Bench runs">
        <table class="runs">
          <thead>
            <tr>
              {heads.map(name => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {all.map(run => (
              <Run key={run.id} {...run} chosen={chosen.indexOf(run.id)} />
            ))}
          </tbody>
        </table>
      </div>
      <div class="foot">
        <button type="button" disabled={chosen.length < 2} onClick={() => void runs.compare()}>
          Compare the two
        </button>
        <p class="hint">
          {chosen.length < 2
            ? 'Choose two runs: the one that was chosen first is the one before.'
            : 'Says what changed, and whether it is more than chance.'}
        </p>
      </div>
    </>
  )
}

const loadText = ({ connections, sizeBytes, ratePerSecond, durationMs }: BenchWanted): string =>
  [
    connections === undefined ? '' : plural(connections, 'connection'),
    sizeBytes === undefined ? '' : sizeText(sizeBytes),
    ratePerSecond === undefined ? 'closed loop' : `${formatCount(ratePerSecond)}/s`,
    durationMs === undefined ? '' : `${durationMs / 1e3}\u00a0s`,
  ]
    .filter(Boolean)
    .join(', ')

function Run(run: BenchRun & { chosen: number }) {
  const { id, address, startedAt, state, achievedPerSecond, p50Us, p99Us, received } = run
  return (
    <tr>
      <td>
        <label class="check">
          <input
            type="checkbox"
            checked={run.chosen >= 0}
            disabled={state !== 'finished'}
            aria-label={`Compare the run of ${clockText(startedAt)}`}
            onChange={({ currentTarget }) => runs.choose(id, currentTarget.checked)}
          />{' '}
          {['before', 'after'][run.chosen] ?? ''}
        </label>
      </td>
      <td>{clockText(startedAt)}</td>
      <td>
        {loadText(run.options)} <span class="aside">{address}</span>
      </td>
      <td>{state}</td>
      <td class="number">{formatCount(achievedPerSecond)}/s</td>
      <td class="number">{timeText(p50Us)}</td>
      <td class="number">{timeText(p99Us)}</td>
      <td class="number">{formatCount(received)}</td>
      <td>
        <Result {...run} />
      </td>
    </tr>
  )
}

function Result({ id, state, error, verdict, valid, received }: BenchRun) {
  if (state === 'running')
    return (
      <button type="button" onClick={() => void runs.stop(id)}>
        End it now
      </button>
    )
  if (state === 'failed') return <span class="problem">{error ?? none}</span>
  const failed = received === 0 ? 'nothing came back as it should' : 'bytes wrong or missing'
  const words = verdict === 'pass' ? 'every byte came back' : failed
  return (
    <>
      <span class={verdict === 'pass' ? 'good' : 'problem'}>{words}</span>
      {valid === false && <span class="problem">; the generator was the limit</span>}{' '}
      <a href={runs.reportPath(id)} target="_blank" rel="noopener">
        Report
      </a>
    </>
  )
}
