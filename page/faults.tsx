/** How the server misbehaves, listener by listener; every change takes effect at once. */
import { signal, useSignal } from '@preact/signals'
import type {
  FaultKindInfo,
  FaultsWanted,
  ListenerFaults,
  ListenerInfo,
} from '../src/dashboard/api.ts'
import { partsOf, textOf, type FaultParts } from '../src/faults/text.ts'
import { Copy } from './copy.tsx'
import { faultsFor, presets } from './fault-presets.ts'
import { change, messageOf } from './request.ts'
import { faults, listenerOf, server } from './state.ts'

const problem = signal('')
/** A refused input is replaced by the value in force. */
const refusals = signal(0)

async function answered(asked: Promise<ListenerFaults[] | null>): Promise<void> {
  try {
    const now = await asked
    if (now) faults.value = now
    problem.value = ''
  } catch (error) {
    problem.value = messageOf(error)
    refusals.value++
  }
}

const put = (listener: number, wanted: string[]): void =>
  void answered(change('PUT', '/api/faults', { listener, faults: wanted } satisfies FaultsWanted))

export const Faults = () => (
  <section id="faults" aria-labelledby="faults-title" class="panel">
    <div class="head">
      <h2 id="faults-title">Faults</h2>
      <p class="summary">How the server misbehaves, on purpose.</p>
      <button
        type="button"
        disabled={server.value?.listeners.every(its => its.faultsFixedBecause !== null)}
        onClick={() => void answered(change('DELETE', '/api/faults'))}
      >
        As it was started
      </button>
    </div>
    {faults.value.map(its => (
      <FaultsOfListener key={its.listener} {...its} info={listenerOf(its.listener)} />
    ))}
    <p role="alert" class="foot problem">
      {problem}
    </p>
  </section>
)

type FaultsOfListenerProps = ListenerFaults & { info: ListenerInfo | undefined }

function FaultsOfListener({ listener, faults: texts, command, info }: FaultsOfListenerProps) {
  const reason = info?.faultsFixedBecause ?? null
  return (
    <div class="listener">
      {server.value && server.value.listeners.length > 1 && (
        <h3>
          <code>{info?.url}</code>
        </h3>
      )}
      {reason === null ? (
        <Editor listener={listener} texts={texts} kinds={info?.faultKinds ?? []} />
      ) : (
        <p class="fixed">
          {texts.length === 0 ? 'It behaves well' : `In force: ${texts.join(' ')}`}, and that cannot
          be changed here. {reason}
        </p>
      )}
      <div class="command">
        <span class="label">The same again</span>
        <code>{command}</code>
        <Copy text={command} />
      </div>
    </div>
  )
}

interface EditorProps {
  listener: number
  texts: string[]
  kinds: readonly FaultKindInfo[]
}

function Editor({ listener, texts, kinds }: EditorProps) {
  const without = (place: number) => texts.filter((_, index) => index !== place)
  return (
    <>
      <div class="presets" role="group" aria-label="Presets">
        {presets.map(preset => (
          <button
            key={preset.name}
            type="button"
            title={preset.meaning}
            onClick={() => put(listener, faultsFor(preset, kinds))}
          >
            {preset.name}
          </button>
        ))}
        <button type="button" disabled={texts.length === 0} onClick={() => put(listener, [])}>
          None
        </button>
      </div>
      {texts.length === 0 && <p class="empty">None in force: every byte comes back at once.</p>}
      <ol class="fault-list">
        {texts.map((text, place) => (
          <InForce
            // A change from elsewhere replaces what stands in the fields.
            key={`${place} ${text} ${refusals.value}`}
            text={text}
            kinds={kinds}
            onChange={changed => put(listener, texts.with(place, changed))}
            onRemove={() => put(listener, without(place))}
          />
        ))}
      </ol>
      <Add kinds={kinds} onAdd={text => put(listener, [...texts, text])} />
    </>
  )
}

interface InForceProps {
  text: string
  kinds: readonly FaultKindInfo[]
  onChange: (text: string) => void
  onRemove: () => void
}

function InForce({ text, kinds, onChange, onRemove }: InForceProps) {
  const { kind, value, percent } = partsOf(text)
  const about = kinds.find(its => its.kind === kind)
  const commit = ({ currentTarget }: Event) => {
    const row = (currentTarget as HTMLElement).closest('li')!
    const changed = textOf({ kind, ...fieldsOf(row) })
    if (changed !== text) onChange(changed)
  }
  return (
    <li>
      <span class="kind">{kind}</span>
      <Fields {...{ kind, value, percent }} hasSample={about?.sample !== ''} onCommit={commit} />
      <button type="button" aria-label={`Remove ${text}`} onClick={onRemove}>
        Remove
      </button>
      <span class="meaning">{about?.meaning}</span>
    </li>
  )
}

const fieldsOf = (row: HTMLElement): Pick<FaultParts, 'value' | 'percent'> => {
  const field = (name: string) =>
    row.querySelector<HTMLInputElement>(`[name=${name}]`)!.value.trim()
  return { value: field('value'), percent: field('percent') }
}

interface FieldsProps extends FaultParts {
  /** Whether a value is usual. */
  hasSample: boolean
  /** Enter, or the field is left. */
  onCommit?: (event: Event) => void
}

const Fields = ({ kind, value = '', percent = '', hasSample, onCommit }: FieldsProps) => (
  <>
    <input
      name="value"
      aria-label={`Value of ${kind}`}
      defaultValue={value}
      placeholder={hasSample ? '' : 'no value'}
      spellcheck={false}
      {...(onCommit && { onChange: onCommit })}
    />
    <span class="share">
      for{' '}
      <input
        name="percent"
        aria-label={`Percent of the connections that ${kind} hits`}
        defaultValue={percent}
        placeholder="100"
        inputMode="decimal"
        {...(onCommit && { onChange: onCommit })}
      />{' '}
      %
    </span>
  </>
)

interface AddProps {
  /** The kinds that apply to the listener. */
  kinds: readonly FaultKindInfo[]
  onAdd: (text: string) => void
}

function Add({ kinds, onAdd }: AddProps) {
  const chosen = useSignal<string>('delay')
  const kind = chosen.value
  const { sample = '', meaning } = kinds.find(its => its.kind === kind) ?? {}
  return (
    <form
      class="add"
      onSubmit={event => {
        event.preventDefault()
        onAdd(textOf({ kind, ...fieldsOf(event.currentTarget) }))
      }}
    >
      <select
        aria-label="Kind of fault"
        value={kind}
        onChange={({ currentTarget }) => (chosen.value = currentTarget.value)}
      >
        {kinds.map(({ kind }) => (
          <option key={kind}>{kind}</option>
        ))}
      </select>
      <Fields key={kind} kind={kind} value={sample} percent="" hasSample={sample !== ''} />
      <button type="submit">Add</button>
      <span class="meaning">{meaning}</span>
    </form>
  )
}
