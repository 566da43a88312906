/** Load on this server, from the page: start it, watch it, keep it, compare it. */
import { Run } from './bench-run.tsx'
import { Comparison } from './compare.tsx'
import * as runs from './runs.ts'
import { benches, isLive, server } from './state.ts'

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
    {runs.comparison.value && <Comparison {...runs.comparison.value} />}
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
      <button type="submit" class="main" disabled={running || !isLive.value}>
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
  const pair = runs.pair.value
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
              <Run
                key={run.id}
                {...run}
                isChosen={pair.includes(run)}
                role={pair.length < 2 ? '' : (['before', 'after'][pair.indexOf(run)] ?? '')}
              />
            ))}
          </tbody>
        </table>
      </div>
      <div class="foot">
        <button
          type="button"
          disabled={pair.length < 2 || !isLive.value}
          onClick={() => void runs.compare()}
        >
          Compare the two
        </button>
        <p class="hint">
          {pair.length < 2
            ? 'Choose two runs: the earlier one is the baseline.'
            : 'Shows what changed from the earlier run to the later one.'}
        </p>
      </div>
    </>
  )
}
