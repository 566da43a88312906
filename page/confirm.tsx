/** Asks before something that cannot be undone. */
import { signal, useSignalEffect } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { isLive } from './state.ts'

interface Question {
  title: string
  text: string
  /** The word on the button that does it. */
  verb: string
  action: () => void
}

const question = signal<Question | null>(null)

export const confirm = (asked: Question): void => {
  question.value = asked
}

export function Confirm() {
  const dialog = useRef<HTMLDialogElement>(null)
  useSignalEffect(() => {
    if (question.value) dialog.current?.showModal()
    else dialog.current?.close()
  })
  const asked = question.value
  const done = () => (question.value = null)
  const act = () => {
    asked?.action()
    done()
  }
  return (
    <dialog ref={dialog} onClose={done} aria-labelledby="confirm-title">
      <h2 id="confirm-title">{asked?.title}</h2>
      <p>{asked?.text}</p>
      <div class="actions">
        <button type="button" onClick={done}>
          Cancel
        </button>
        <button type="button" class="danger" disabled={!isLive.value} onClick={act}>
          {asked?.verb}
        </button>
      </div>
    </dialog>
  )
}
