/** The table of connections. Only the rows that can be seen are fetched and exist. */
import { signal, useSignalEffect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { ConnectionRow, Killed } from '../src/dashboard/api.ts'
import { escapeText } from '../src/vocabulary/escape.ts'
import { columns, Row } from './connection-row.tsx'
import { confirm } from './confirm.tsx'
import { formatCount, nameOf, plural } from './format.ts'
import { change, messageOf, query } from './request.ts'
import * as rows from './rows.ts'
import { isLive, server } from './state.ts'
import { shown, whereText } from './view.ts'

const said = signal('')

export const Connections = () => (
  <section id="connections" aria-labelledby="connections-title" class="panel">
    <div class="head">
      <h2 id="connections-title">Connections</h2>
      <Count />
      <label class="filter">
        Filter{' '}
        <input
          type="search"
          placeholder="peer or transport"
          onInput={({ currentTarget }) => rows.filterBy(currentTarget.value)}
        />
      </label>
      <button
        type="button"
        disabled={!isLive.value || rows.fetched.value.killable === 0}
        onClick={askToKillAll}
      >
        {rows.filter.value ? 'Kill all that match' : 'Kill all'}
      </button>
    </div>
    <Table />
    <p class="foot" role="status">
      {rows.fetchProblem.value ||
        said.value ||
        'A killed connection ends at once, whatever is in flight on it.'}
    </p>
  </section>
)

function Count() {
  const { total, matched } = rows.fetched.value
  const isPart = rows.filter.value !== '' || shown.value !== null
  return (
    <p class="summary">
      {isPart
        ? `${formatCount(matched)} of ${plural(total, 'connection')} match${whereText()}`
        : plural(total, 'connection')}
    </p>
  )
}

async function kill(path: string): Promise<void> {
  try {
    const { killed } = (await change<Killed>('DELETE', path))!
    said.value = `Killed ${plural(killed, 'connection')}.`
    await rows.refresh()
    // The button disappears with its row, now or a moment later: the focus stays in the table.
    const { activeElement: active, body } = document
    if (active === body || active?.matches('.kill button'))
      document.querySelector<HTMLElement>('.table')!.focus({ preventScroll: true })
  } catch (error) {
    said.value = messageOf(error)
  }
}

function askToKillAll() {
  const wanted = rows.which()
  const { killable, matched } = rows.fetched.peek()
  const count = plural(killable, 'connection')
  const waiting = matched - killable
  const which = wanted.filter
    ? `All${whereText()} whose peer or transport contains “${escapeText(wanted.filter)}”.`
    : `All that are served${whereText()}.`
  const verb = waiting === 1 ? 'waits' : 'wait'
  const others = `${plural(waiting, 'client')} still ${verb}, and can be killed once served.`
  const all = wanted.filter ? {} : { all: true }
  confirm({
    title: `Kill ${count}?`,
    text: waiting > 0 ? `${which} ${others}` : which,
    verb: `Kill ${count}`,
    action: () => void kill(`/api/connections?${query({ ...wanted, ...all })}`),
  })
}

const askToKill = (row: ConnectionRow) =>
  confirm({
    title: 'Kill this connection?',
    text: `${nameOf(row)} is cut off at once.`,
    verb: 'Kill it',
    action: () => void kill(`/api/connections/${encodeURIComponent(row.id)}`),
  })

/** The row whose button has the focus, or had it last. */
const reached = signal('')

/** Tab would have to pass each of thousands of rows: the arrow keys go from one to the next. */
function moveBetweenRows(event: KeyboardEvent) {
  const { key, target } = event
  if ((key !== 'ArrowDown' && key !== 'ArrowUp') || !(target as Element).matches('.kill button'))
    return
  event.preventDefault()
  let row: Element | null = (target as Element).closest('tr')
  let button: HTMLButtonElement | null = null
  while (row && !button) {
    row = key === 'ArrowDown' ? row.nextElementSibling : row.previousElementSibling
    button = row?.querySelector<HTMLButtonElement>('.kill button') ?? null
  }
  button?.focus()
}

function Table() {
  const scroller = useRef<HTMLDivElement>(null)
  const measure = () => {
    const { scrollTop, clientHeight } = scroller.current!
    rows.scrolledTo(scrollTop, clientHeight)
  }
  useEffect(() => {
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(scroller.current!)
    return () => observer.disconnect()
  }, [])
  useSignalEffect(() => {
    void shown.value
    if (isLive.value) void rows.refresh()
  })
  useSignalEffect(() => {
    void [rows.sort.value, rows.filter.value, shown.value]
    scroller.current!.scrollTop = 0
  })
  const { matched } = rows.fetched.value
  const { first, end } = rows.visible.value
  const seen = rows.fetched.value.rows.slice(
    Math.max(0, first - rows.fetched.value.offset),
    Math.max(0, end - rows.fetched.value.offset),
  )
  const served = seen.filter(({ waiting }) => !waiting)
  const tabbed = served.find(({ id }) => id === reached.value) ?? served[0]
  const indexes = Array.from({ length: Math.max(0, end - first) }, (_, place) => first + place)
  return (
    <div
      class="table"
      ref={scroller}
      tabIndex={0}
      role="group"
      aria-label="Rows of the connections"
      onScroll={measure}
      onKeyDown={moveBetweenRows}
    >
      <table aria-rowcount={matched + 1} aria-labelledby="connections-title">
        <thead>
          <tr aria-rowindex={1}>
            {columns.map(column => (
              <HeadCell key={column.name} {...column} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space rows={first} />
          {indexes.map(index => (
            <Row
              key={rows.rowAt(index)?.id ?? index}
              index={index}
              row={rows.rowAt(index)}
              reached={tabbed !== undefined && rows.rowAt(index)?.id === tabbed.id}
              onReach={id => (reached.value = id)}
              onKill={askToKill}
            />
          ))}
          <Space rows={matched - Math.max(first, end)} />
        </tbody>
      </table>
      {matched === 0 && <p class="empty">{emptyText()}</p>}
    </div>
  )
}

function emptyText() {
  if (rows.filter.value) return 'No connection matches the filter.'
  const url = server.value?.listeners[shown.value ?? 0]?.url ?? ''
  return `No client is connected. Try: yodel connect ${url}`
}

/** Takes the height of the rows that are not drawn, so that the scroll bar is right. */
const Space = ({ rows: count }: { rows: number }) =>
  count > 0 ? (
    <tr aria-hidden="true">
      <td class="space" colSpan={columns.length} style={{ height: `${count * rows.rowPx}px` }} />
    </tr>
  ) : null

function HeadCell({ name, sort, title, className }: (typeof columns)[number]) {
  const { by, order } = rows.sort.value
  const sorted = by === sort
  // The column shows the age: the first opened is the oldest.
  const up = (order === 'asc') !== (sort === 'openedAt')
  const direction = up ? 'ascending' : 'descending'
  return (
    <th scope="col" class={className} title={title} {...(sorted && { 'aria-sort': direction })}>
      {sort ? (
        <button type="button" class="sort" onClick={() => rows.sortBy(sort)}>
          {name}
          <span aria-hidden="true">{sorted ? (up ? ' ↑' : ' ↓') : ''}</span>
        </button>
      ) : (
        name
      )}
    </th>
  )
}
