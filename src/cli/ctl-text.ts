/** What `yodel ctl` prints, for people. */
import { placeText } from '../vocabulary/place.ts'
import type {
  BenchRun,
  ConnectionPage,
  Figures,
  ListenerFaults,
  Second,
  ServerInfo,
} from '../dashboard/api.ts'
import { printable } from '../vocabulary/text.ts'
import { formatCount, formatDuration, formatRate, formatSize, plural } from '../vocabulary/units.ts'

/** How long something has been there: `4s`, `2m 5s`, `1h 2m`. */
function ageText(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / 1e3))
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60), whole]
  if (hours > 0) return `${hours}h ${minutes % 60}m`
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`
}

export function serverText(info: ServerInfo, last: Second | undefined): string {
  const state = info.draining ? 'draining' : 'serving'
  const uptime = ageText(Date.now() - info.startedAt)
  const lines = [`yodel ${info.version}, process ${info.pid}, ${state} for ${uptime}`]
  for (const { index, url, engine, concurrency, notes } of info.listeners) {
    const limit = concurrency === null ? 'no limit' : `${plural(concurrency, 'client')} at a time`
    lines.push(`  ${index}  ${url}  engine ${engine}, ${limit}`)
    for (const note of notes) lines.push(`     ${printable(note)}`)
    const its = info.listeners.length > 1 && last?.listeners[index]
    if (its) lines.push(`     ${clientsText(its)}, ${formatRate(its.echoes)}`)
  }
  if (!last) return `${lines.join('\n')}\n`
  lines.push(
    'in the last second',
    `  clients  ${clientsText(last)}, ` +
      `${formatCount(last.opened)} came, ${formatCount(last.closed)} went`,
    `  echoes   ${formatRate(last.echoes)}, in ${formatSize(last.bytesIn)}/s, ` +
      `out ${formatSize(last.bytesOut)}/s`,
    `  errors   ${formatCount(last.errors)}, ${plural(last.faultsInjected, 'fault')} injected`,
  )
  return `${lines.join('\n')}\n`
}

const clientsText = ({ open, waiting }: Figures): string =>
  `${formatCount(open)} served, ${waiting === null ? 'unknown' : formatCount(waiting)} waiting`

export function connectionsText({ total, matched, rows }: ConnectionPage): string {
  if (rows.length === 0) return `no connections${total > 0 ? ` of ${total} match` : ''}\n`
  const head = ['id', 'peer', 'listener', 'for', 'rate', 'in', 'out', 'unsent', 'idle']
  const now = Date.now()
  const table = rows.map(row => [
    row.id,
    printable(row.realPeer === null ? row.peer : `${row.realPeer} via ${row.peer}`) || '-',
    `${row.listener}`,
    ageText(now - row.openedAt),
    ...(row.waiting
      ? ['waiting', '', '', '', '']
      : [
          `${formatSize(row.bytesPerSecond)}/s`,
          ...[row.bytesIn, row.bytesOut, row.unsentBytes].map(formatSize),
          ageText(row.idleMs),
        ]),
  ])
  const widths = head.map((_, column) =>
    Math.max(...[head, ...table].map(cells => cells[column]!.length)),
  )
  const lines = [head, ...table].map(cells =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  const part = rows.length < matched ? `${rows.length} of ` : ''
  const shown = `${part}${plural(matched, 'connection')}`
  lines.push(`${shown}${matched < total ? ` that match, ${total} in all` : ''}`)
  return `${lines.join('\n')}\n`
}

export function listenerFaultsText(list: ListenerFaults[]): string {
  const lines = list.flatMap(({ listener, faults, command }) => [
    `${listener}  ${faults.length > 0 ? faults.map(fault => printable(fault)).join(' ') : 'none'}`,
    `   ${printable(command)}`,
  ])
  return `${lines.join('\n')}\n`
}

export function benchLine(run: BenchRun): string {
  if (run.waiting) return placeText(run.waiting)
  const p99 = run.p99Us === null ? '' : `, p99 ${formatDuration(run.p99Us / 1e3)}`
  return `${formatCount(run.received)} verified, ${formatRate(run.achievedPerSecond)}${p99}`
}
