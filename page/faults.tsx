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
import { faults, isLive, listenerOf, server } from './state.ts'
import { isShown } from './view.ts'
import { Words } from './words.tsx'

/** What was refused, and at which listener; null: at all of them. */
interface Problem {
  listener: number | null
  text: string
}

const problem = signal<Problem | null>(null)
/** A refused input is replaced by the value in force. */
const refusals = signal(0)

async function answered(
  listener: number | null,
  asked: Promise<ListenerFaults[] | null>,
): Promise<void> {
  try {
    const now = await asked
    if (now) faults.value = now
    problem.value = null
  } catch (error) {
    problem.value = { listener, text: messageOf(error) }
    refusals.value++
  }
}

const put = (listener: number, wanted: string[]): void => {
  const body: FaultsWanted = { listener, faults: wanted }
  void answered(listener, change('PUT', '/api/faults', body))
}

const Trouble = ({ of }: { of: number | null }) => (
  <p role="alert" class="problem">
    {problem.value?.listener === of ? problem.value.text : ''}
  </p>
)

export const Faults = () => (
  <section id="faults" aria-labelledby="faults-title" class="panel">
    <div class="head">
      <h2 id="faults-title">Faults</h2>
      <p class="summary">How the server misbehaves, on purpose.</p>
      <button
        type="button"
        disabled={
          !isLive.value || server.value?.listeners.every(its => its.faultsFixedBecause !== null)
        }
        onClick={() => void answered(null, change('DELETE', '/api/faults'))}
      >
        Reset to startup
      </button>
    </div>
    <Trouble of={null} />
    <div class="every">
      {faults.value
        .filter(({ listener }) => isShown(listener))
        .map(its => (
          <FaultsOfListener key={its.listener} {...its} info={listenerOf(its.listener)} />
        ))}
    </div>
  </section>
)

type FaultsOfListenerProps = ListenerFaults & { info: ListenerInfo | undefined }

function FaultsOfListener({ listener, faults: texts, command, info }: FaultsOfListenerProps) {
  const reason = info?.faultsFixedBecause ?? null
  return (
    <div class="listener" role="group" aria-label={`Faults at ${info?.url}`}>
      {server.value && server.value.listeners.length > 1 && (
        <h3>
          <code>{info?.url}</code>
        </h3>
      )}
      {reason === null ? (
        <Editor listener={listener} texts={texts} kinds={info?.faultKinds ?? []} />
      ) : (
        <p class="fixed">
          {texts.length === 0 ? 'No faults are in force' : `In force: ${texts.join(' ')}`}, and that
          cannot be changed here. {reason}
        </p>
      )}
      <Trouble of={listener} />
      <div class="command">
        <span class="label">Starts a server like this one, with these faults</span>
        <code>
          <Words text={command} />
        </code>
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
    <fieldset class="editor" disabled={!isLive.value}>
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
          No faults
        </button>
      </div>
      {texts.length === 0 && (
        <p class="empty">No faults in force: every byte comes back at once.</p>
      )}
      <ol class="fault-list">
        {texts.map((text, place) => (
          <InForce
            // A change from elsewhere replaces what is in the fields.
            key={`${place} ${text} ${refusals.value}`}
            text={text}
            kinds={kinds}
            onChange={changed => put(listener, texts.with(place, changed))}
            onRemove={() => put(listener, without(place))}
          />
        ))}
      </ol>
      <Add kinds={kinds} onAdd={text => put(listener, [...texts, text])} />
    </fieldset>
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
        aria-label={`Percent of the clients that ${kind} hits`}
        defaultValue={percent}
        placeholder="100"
        inputMode="decimal"
        {...(onCommit && { onChange: onCommit })}
      />{' '}
      % of clients
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
