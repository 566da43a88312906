/** A button that copies a text. */
import { useSignal } from '@preact/signals'

const shownMs = 2000

export function Copy({ text }: { text: string }) {
  const done = useSignal(false)
  const copy = async () => {
    // The clipboard is there on the loopback and over https only; elsewhere the text can be marked.
    await (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error()))
    done.value = true
    setTimeout(() => (done.value = false), shownMs)
  }
  return (
    <button
      type="button"
      class="copy"
      onClick={({ currentTarget }) => void copy().catch(() => mark(currentTarget))}
    >
      {done.value ? 'Copied' : 'Copy'}
    </button>
  )
}

function mark(button: HTMLElement): void {
  const code = button.parentElement!.querySelector('code')
  if (code) getSelection()?.selectAllChildren(code)
}
