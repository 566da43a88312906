/** Whether fresh connections are alike: behind a balancer or over several links some may be bad. */
import { Socket } from 'node:net'
import { UserError } from '../vocabulary/errors.ts'
import { formatSize } from '../vocabulary/units.ts'
import type { Cost } from './limits.ts'
import type { FindingKind, Found } from './question.ts'
import { message, type Scene } from './scene.ts'

/** If one server in four is bad, this many connections all miss it only once in ten times. */
const tries = 8
/** If this many tries fail and none works, all connections count as bad. */
const badMax = 4
/** How many are tried at once, if the server has already served at least twice `tries` at once. */
export const alikeAtOnce = 4

export const uneven = {
  outcome: 'fails',
  effect:
    'Some connections work and others do not, by chance: programs fail now and then, and a ' +
    'second try helps.',
  advice:
    'A balancer with a bad server behind it: ask each server by its own address, and look at the ' +
    'health checks. Or several links share the load by connection (ECMP, bonding), and one of ' +
    'them is bad; the ports of a connection decide which link it takes. Other failures of this ' +
    'check may have the same cause.',
} as const satisfies FindingKind

/** What askAlike() may use in addition to the cost of the question itself. */
export const alikeCost = (bytes: number): Pick<Cost, 'connections' | 'bytes'> => ({
  connections: tries,
  bytes: tries * bytes,
})

/** How long askAlike() takes if all connections work. */
export const alikeMs = ({ silenceMs, known }: Pick<Scene, 'silenceMs' | 'known'>): number =>
  silenceMs + 2 * tries * known.rttMs

interface Try {
  works: boolean
  isPart?: boolean
  said: string
}

/**
 * Sends this many bytes on one fresh connection after the other; undefined if all do the same.
 * @param hasWorked a connection before has brought as much back
 */
export async function askAlike(
  scene: Scene,
  bytes: number,
  hasWorked = false,
): Promise<Found<'uneven'> | undefined> {
  const all: Try[] = []
  const isMany = (scene.known.atOnce ?? 0) >= 2 * tries
  const atOnce = isMany ? Math.min(alikeAtOnce, scene.limits.maxConnections) : 1
  while (all.length < tries && (all.length < badMax || all.some(({ works }) => works)))
    all.push(...(await Promise.all(Array.from({ length: atOnce }, () => attempt(scene, bytes)))))
  // Tries before the first that works may have failed because of an earlier question.
  const counted = all.slice(
    Math.max(
      0,
      all.findIndex(({ works }) => works),
    ),
  )
  const bad = counted.filter(({ works }) => !works)
  const isAll = bad.length === counted.length
  if (bad.length === 0 || (isAll && !hasWorked)) return undefined
  // If a part comes back, the connections are alike: something else loses the rest.
  if (!isAll && bad.some(({ isPart }) => isPart)) return undefined
  const [where, do_, does] = isAll
    ? ['on one before', 'did', 'did']
    : ['on the others', 'do', 'does']
  const what =
    bytes > 1_000
      ? `messages of ${formatSize(bytes)} do not come back, ${where} they ${do_}`
      : `nothing comes back, ${where} everything ${does}`
  return {
    name: 'uneven',
    said: `connections are not alike: on ${bad.length} of ${counted.length} ${what}`,
    evidence: [
      `${all.length} fresh connections` +
        (atOnce === 1 ? ', one after the other' : '') +
        `: ${all.map(({ said }) => said).join(', ')}`,
    ],
    where: 'behind what shares the load: a balancer, or a router with several links',
  }
}

async function attempt(scene: Scene, bytes: number): Promise<Try> {
  try {
    const probe = await scene.open()
    const port = probe.stream instanceof Socket ? ` (port ${probe.stream.localPort})` : ''
    await probe.push(message(scene.known, bytes), scene.silenceMs)
    const waited = await probe.bytes(bytes, scene.silenceMs)
    const { receivedBytes, ending } = probe
    await probe.close()
    const said =
      waited === 'done' ? 'all' : ending === undefined ? formatSize(receivedBytes) : ending
    const works = waited === 'done'
    return { works, isPart: !works && receivedBytes > 0, said: `${said}${port}` }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { works: false, said: 'no connection' }
  }
}
