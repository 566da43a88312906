/**
 * What yodel prints about a udp server: warnings about its rules, and the counts of its datagrams.
 */
import { isPublic } from '../vocabulary/address.ts'
import { loadLibc } from '../engines/os/libc.ts'
import { counterOf, servedCounters, type CounterName } from '../metrics/counters.ts'
import type { Server, ServeOptions } from '../serve.ts'
import type { DatagramRule } from '../wire/udp/guard.ts'
import { isDatagrams } from '../vocabulary/transport.ts'
import { formatCount, plural } from '../vocabulary/units.ts'

/** The name of each reason in the last line. */
const reasons = servedCounters.flatMap((name): [CounterName, string][] => {
  const reason = counterOf(name).said?.refusedBecause
  return reason === undefined ? [] : [[name, reason]]
})

const dangers: Record<DatagramRule, string> = {
  'low-ports':
    'A forged source can make it and another service (echo, DNS) answer each other for ever.',
  'own-ports': 'A forged source can make two servers of this process answer each other for ever.',
  broadcast: 'A forged source can flood every machine of a network.',
  multicast: 'A forged source can flood every machine of a group.',
  loops: 'It and another echo server can answer each other for ever.',
}

export const isUdp = ({ address }: Server): boolean => isDatagrams(address)

/** Warnings for a server that other machines can reach. */
export const risk = (server: Server): string =>
  isUdp(server)
    ? 'the echo of a datagram goes to its source, even a forged one, up to the rate of --udp-rate.'
    : 'it echoes every client.'

/** A line for each rule that is lifted. */
export function warnings(server: Server, { datagrams = {} }: ServeOptions): string[] {
  if (!isUdp(server)) return []
  const { allow = [], ratePerSource } = datagrams
  const { host } = server.address as { host: string }
  const lines: string[] = allow.map(
    rule => `${server.url} answers in spite of ${rule}. ${dangers[rule]}`,
  )
  const others = isPublic(server.address)
  const groups = !['broadcast', 'multicast'].every(rule => allow.includes(rule as DatagramRule))
  const blind = process.platform !== 'linux' || typeof loadLibc() === 'string'
  // Without libc, a broadcast cannot be distinguished from a datagram to only this address.
  if (groups && blind && /^[0.:]+$/.test(host))
    lines.push(
      `${server.url} answers broadcasts too, on this system; better listen on one address.`,
    )
  if (ratePerSource === Infinity && others)
    lines.push(`${server.url} answers one source without limit: a forged source is flooded.`)
  if (others && lines.length > 0)
    lines.push(
      `${server.url} can be reached from other machines with rules off: anyone can forge a ` +
        'source address and attack a third machine with it. Do this only in a closed network.',
    )
  return lines
}

/** What became of the datagrams, for the last line. */
export function datagramsText(servers: readonly Server[]): string {
  const counts = servers.filter(isUdp).map(server => server.counts())
  const total = (name: CounterName) => counts.reduce((sum, at) => sum + at[name], 0)
  const refused = reasons.filter(([name]) => total(name) > 0)
  const count = refused.reduce((sum, [name]) => sum + total(name), 0)
  const why = refused.map(([name, words]) => `${formatCount(total(name))} ${words}`).join(', ')
  const dropped = total('datagramsDropped')
  const unread = total('datagramsUnread')
  return [
    `answered ${plural(total('datagramsAnswered'), 'datagram')}`,
    ...(count > 0 ? [`refused ${formatCount(count)} (${why})`] : []),
    ...(dropped > 0 ? [`dropped ${formatCount(dropped)}`] : []),
    ...(unread > 0 ? [`${formatCount(unread)} discarded by the system unread`] : []),
  ].join(', ')
}
