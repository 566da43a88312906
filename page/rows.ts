/** The part of the server's connections that the table shows, fetched once a second. */
import { computed, signal } from '@preact/signals'
import type { ConnectionPage, ConnectionRow, SortKey } from '../src/dashboard/api.ts'
import { get, messageOf, query } from './request.ts'
import { isLive } from './state.ts'
import { shown } from './view.ts'

export const rowPx = 28
/** Rows that are asked for above and below those that are seen. */
const spare = 40
const mostRows = 500
const everyMs = 1000

export const sort = signal<{ by: SortKey; order: 'asc' | 'desc' }>({ by: 'openedAt', order: 'asc' })
export const filter = signal('')
/** What can be seen of the table, in pixels. */
export const viewport = signal({ top: 0, height: 400 })
export const fetchProblem = signal('')

interface Fetched extends ConnectionPage {
  offset: number
}

export const fetched = signal<Fetched>({
  total: 0,
  matched: 0,
  killable: 0,
  rows: [],
  offset: 0,
})

/** Indexes of the rows that can be seen, and a few more. */
export const visible = computed(() => {
  const { top, height } = viewport.value
  const first = Math.max(0, Math.floor(top / rowPx) - 4)
  const count = Math.ceil(height / rowPx) + 8
  return { first, end: Math.min(fetched.value.matched, first + count) }
})

/** Undefined: not fetched yet. */
export const rowAt = (index: number): ConnectionRow | undefined =>
  fetched.value.rows[index - fetched.value.offset]

/** Filter and listener, as the server takes them. */
export const which = () => ({ filter: filter.peek(), listener: shown.peek() ?? undefined })

let timer: ReturnType<typeof setTimeout> | undefined
let busy = false
let again = false

/** Asks for what is seen now; one request at a time. */
export async function refresh(): Promise<void> {
  if (busy) {
    again = true
    return
  }
  clearTimeout(timer)
  busy = true
  again = false
  const { first, end } = visible.peek()
  const offset = Math.max(0, first - spare)
  const limit = Math.min(mostRows, Math.max(end, first + 1) - offset + spare)
  const { by, order } = sort.peek()
  const asked = query({ sort: by, order, ...which(), offset, limit })
  try {
    if (!document.hidden && isLive.peek())
      fetched.value = { ...(await get<ConnectionPage>(`/api/connections?${asked}`)), offset }
    fetchProblem.value = ''
  } catch (error) {
    fetchProblem.value = messageOf(error)
  }
  busy = false
  timer = setTimeout(() => void refresh(), again ? 0 : everyMs)
}

/** Called while it scrolls: asks at once where there are no rows, and waits otherwise. */
export function scrolledTo(top: number, height: number): void {
  viewport.value = { top, height }
  const { first, end } = visible.peek()
  if (end > first && (!rowAt(first) || !rowAt(end - 1))) void refresh()
}

export function sortBy(by: SortKey): void {
  const { by: now, order } = sort.peek()
  // The largest figures come first; names from the beginning.
  const first = by === 'peer' || by === 'openedAt' ? 'asc' : 'desc'
  const turned = order === 'asc' ? 'desc' : 'asc'
  sort.value = { by, order: by === now ? turned : first }
  void refresh()
}

export function filterBy(text: string): void {
  filter.value = text
  void refresh()
}
