/** The columns of the table of connections, and one row of it. */
import type { ConnectionRow, SortKey } from '../src/dashboard/api.ts'
import { ageText, nameOf, none, rateSizeText, sizeText } from './format.ts'
import { faults, isLive, listenerOf, ownName, serverNow } from './state.ts'

interface Column {
  name: string
  className: string
  /** An explanation, if the name is not enough. */
  title?: string
  /** The key by which the server sorts. */
  sort?: SortKey
  text: (row: ConnectionRow) => string
  /** The tooltip: the full text of a cell that may be cut off, or more details. */
  whole?: (row: ConnectionRow) => string | undefined
  /** The column has a value while the client waits. */
  early?: boolean
}

const faultsOf = (listener: number): string =>
  faults.value.find(its => its.listener === listener)?.faults.join(' ') || 'none'

export const columns: Column[] = [
  {
    name: 'Peer',
    className: 'peer',
    sort: 'peer',
    early: true,
    text: nameOf,
    whole: nameOf,
  },
  {
    name: 'State',
    className: 'word',
    title: 'waiting: connected, but not served yet; probe, console: of this page, and served',
    early: true,
    text: row => (row.waiting ? 'waiting' : (ownName(row) ?? 'served')),
  },
  {
    name: 'Age',
    className: 'number',
    sort: 'openedAt',
    early: true,
    text: ({ openedAt }) => ageText(serverNow() - openedAt),
  },
  {
    name: 'Rate',
    className: 'number rate',
    title: 'Bytes in and out in the last second',
    sort: 'bytesPerSecond',
    text: ({ bytesPerSecond }) => rateSizeText(bytesPerSecond),
  },
  {
    name: 'In',
    className: 'number',
    sort: 'bytesIn',
    text: ({ bytesIn }) => sizeText(bytesIn),
  },
  {
    name: 'Out',
    className: 'number',
    sort: 'bytesOut',
    text: ({ bytesOut }) => sizeText(bytesOut),
  },
  {
    name: 'To send',
    className: 'number',
    title: 'Echoed, and waiting in the program to be sent',
    sort: 'unsentBytes',
    text: ({ unsentBytes }) => sizeText(unsentBytes),
  },
  {
    name: 'Idle',
    className: 'number',
    title: 'How long nothing has moved',
    sort: 'idleMs',
    text: ({ idleMs }) => ageText(idleMs),
  },
  {
    name: 'Transport',
    className: 'word transport',
    text: ({ transport }) => transport,
    whole: ({ listener }) => listenerOf(listener)?.url,
  },
  { name: 'Engine', className: 'word', text: ({ engine }) => engine },
  {
    name: 'Real peer',
    className: 'peer',
    title: 'The client behind a proxy that speaks the PROXY protocol',
    text: ({ realPeer }) => realPeer ?? none,
    whole: ({ realPeer }) => realPeer ?? undefined,
  },
  {
    name: 'Faults',
    className: 'faults',
    title: 'Faults in force at its listener',
    early: true,
    text: ({ listener }) => faultsOf(listener),
    whole: ({ listener }) => faultsOf(listener),
  },
  { name: 'Kill', className: 'kill', early: true, text: () => '' },
]

interface Props {
  index: number
  /** Undefined until the server has answered. */
  row: ConnectionRow | undefined
  /** Tab leads to its button, and to no other one of the table. */
  reached: boolean
  onReach: (id: string) => void
  onKill: (row: ConnectionRow) => void
}

export const Row = ({ index, row, reached, onReach, onKill }: Props) => (
  <tr aria-rowindex={index + 2} class={row?.waiting ? 'is-waiting' : ''}>
    {columns.map(({ name, className, text, early, whole }) =>
      className === 'kill' ? (
        <td key={name} class="kill">
          {row && !row.waiting && (
            <button
              type="button"
              tabIndex={reached ? 0 : -1}
              disabled={!isLive.value}
              aria-label={`Kill the connection of ${nameOf(row)}`}
              onFocus={() => onReach(row.id)}
              onClick={() => onKill(row)}
            >
              Kill
            </button>
          )}
        </td>
      ) : (
        <td key={name} class={className} title={row && whole?.(row)}>
          {row ? (row.waiting && !early ? none : text(row)) : '…'}
        </td>
      ),
    )}
  </tr>
)
