/** Families: does each address of the name answer, over IPv4 and IPv6 alike? */
import { isIP } from 'node:net'
import { lookup } from 'node:dns/promises'
import { bareAt, type HostAddress } from '../vocabulary/address.ts'
import { reachableFrom } from '../options/route.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { errnoOf } from '../engines/failures.ts'
import { UserError } from '../vocabulary/errors.ts'
import { networkConnected } from '../options/where.ts'
import { persistent, timesMost } from './again.ts'
import { routeOf } from './below.ts'
import { question, type Found } from './question.ts'
import { isEchoOf, message, type Scene } from './scene.ts'

/** More addresses of one name are not tried. */
const addressesMax = 8
const messageBytes = 32
/** An address that takes this much longer than the fastest one is a finding. */
const slowMs = 200

type Name = 'black' | 'refuses' | 'not-spoken' | 'no-echo' | 'unequal'
type Finding = Found<Name>

export const families = question<Name>({
  asks: 'whether each address of the name answers, over IPv4 and IPv6 alike',
  transports: networkConnected,
  // Perhaps the first look took the only bad address.
  withoutEcho: true,
  figures: { addresses: 'count' },
  findings: {
    black: {
      outcome: 'fails',
      effect:
        'A program that tries that address first hangs until its timeout (minutes on Linux); ' +
        'browsers lose 250 ms on each connection (happy eyeballs, RFC 8305).',
      advice:
        'Take the address out of DNS, or make it answer: a missing route or tunnel for IPv6, a ' +
        'firewall that drops only one family, a server that is gone. `curl -6 -v`, `curl -4 -v`.',
    },
    refuses: {
      outcome: 'differs',
      effect:
        'A program that tries that address first is refused and has to try the next one; some ' +
        'programs do not try it.',
      advice:
        'The server does not listen on that address (`ss -ltn`): bind it to `::` and `0.0.0.0`, ' +
        'or take the address out of DNS or /etc/hosts.',
    },
    'not-spoken': {
      outcome: 'fails',
      effect:
        'A program that tries that address first is connected, and then fails: it does not try ' +
        'the next address any more.',
      advice:
        'Another program, or another configuration, answers on that address and port. Compare ' +
        'the addresses: `openssl s_client -connect ADDRESS:PORT`, `curl -4 -v`, `curl -6 -v`.',
    },
    'no-echo': {
      outcome: 'fails',
      effect: 'Clients get another server, depending on which address they take.',
      advice:
        'Another program answers on that address and port. Compare the addresses in DNS with ' +
        'those of the server.',
    },
    unequal: {
      outcome: 'differs',
      effect: 'Clients are slower or faster depending on the family that they take.',
      advice:
        'The routes differ: `tracepath -4`, `tracepath -6`; a tunnel for one family is usual.',
    },
  },
  refuses({ address, calling }) {
    if (calling.proxy !== undefined) return 'the proxy of --proxy looks the name up, not this end'
    if (address.transport === 'unix' || isIP(address.host.replace(/%.*$/, '')) === 0)
      return undefined
    return 'the address is a number, and a number has one family'
  },
  cost: ({ silenceMs, maxConnections }) => ({
    atOnce: Math.min(addressesMax, maxConnections),
    connections: 2 * addressesMax * timesMost,
    bytes: addressesMax * messageBytes * timesMost,
    // Two waits for the connection and one for the echo, twice. Twice as long if addresses have to
    // be tried one after the other.
    ms: (maxConnections > 1 ? 6 : 12) * silenceMs,
  }),
  async ask(scene) {
    const { host } = scene.address as HostAddress
    const all = await lookup(host, { all: true })
    const reached = reachableFrom(
      scene.calling,
      all.map(({ address }) => address),
    )
    const addresses = [...new Set(reached)].slice(0, addressesMax)
    const tries = await persistent(() => attemptAll(scene, addresses), isUnequal)
    const times = tries.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs]))
    const fastest = Math.min(...times)
    const working = tries.filter(({ fate }) => fate === 'echoed')
    // If no address answers, and none did before, other questions report it.
    const isSaid = working.length === 0 && !scene.known.echoes
    const found = isSaid ? [] : tries.flatMap(each => judge(each, fastest) ?? [])
    const listed = tries.map(({ address, said }) => `${address} ${said}`).join(', ')
    return {
      said: listed,
      found,
      figures: { addresses: working.length },
    }
  },
})

interface Attempt {
  address: string
  fate: 'echoed' | 'black' | 'refuses' | 'not-spoken' | 'no-echo'
  said: string
  /** The time until the echo came. */
  tookMs?: number
  evidence: string
}

async function attempt(scene: Scene, address: string): Promise<Attempt> {
  const { host, ...rest } = scene.address as HostAddress
  const calling = {
    ...scene.calling,
    tls: { serverName: host, ...scene.calling.tls },
  }
  const startedMs = performance.now()
  const timeoutMs = 2 * scene.silenceMs
  try {
    const probe = await scene.open({ ...rest, host: address }, calling, timeoutMs)
    const sent = message(scene.known, messageBytes)
    await probe.write(sent)
    await probe.bytes(sent.length, scene.silenceMs)
    const isEcho = isEchoOf(sent, probe, scene.known)
    const tookMs = performance.now() - startedMs
    const evidence = `${address}: ${probe.story}`
    await probe.close()
    const took = formatDuration(tookMs)
    if (!isEcho) return { address, fate: 'no-echo', said: 'is not an echo', evidence }
    return { address, fate: 'echoed', said: `answers in ${took}`, tookMs, evidence }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const evidence = `${address}: ${error.message}`
    if (await opensBelow(scene, address)) {
      const said = `opens a connection, and fails at ${scene.address.transport}`
      return { address, fate: 'not-spoken', said, evidence: `${evidence} TCP alone connects.` }
    }
    const isBlack = /ETIMEDOUT|HOSTUNREACH|NETUNREACH/.test(error.message + errnoOf(error))
    if (!isBlack) return { address, fate: 'refuses', said: 'refuses', evidence }
    const waited = `The wait was ${formatDuration(performance.now() - startedMs)}.`
    return { address, fate: 'black', said: 'does not answer', evidence: `${evidence} ${waited}` }
  }
}

/**
 * For TLS, HTTP and WebSocket: whether the connection below them opens at this address.
 */
async function opensBelow(scene: Scene, host: string): Promise<boolean> {
  const bare = bareAt({ ...(scene.address as HostAddress), host })
  if (bare.transport === scene.address.transport) return false
  const opening = scene.open(bare, routeOf(scene.calling), scene.silenceMs)
  const probe = await opening.catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error
  })
  await probe?.close()
  return probe !== undefined
}

/** Tries all addresses, as many at once as the limit of open connections allows. */
async function attemptAll(scene: Scene, addresses: readonly string[]): Promise<Attempt[]> {
  const all: Attempt[] = []
  const atOnce = scene.limits.maxConnections
  for (let at = 0; at < addresses.length; at += atOnce) {
    const some = addresses.slice(at, at + atOnce)
    all.push(...(await Promise.all(some.map(address => attempt(scene, address)))))
  }
  return all
}

/**
 * Whether an address is only too slow. One that does not answer has waited long enough, and is not
 * tried again.
 */
function isUnequal(tries: readonly Attempt[]): boolean {
  const times = tries.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs]))
  return tries.some(each => judge(each, Math.min(...times))?.name === 'unequal')
}

function judge(each: Attempt, fastest: number): Finding | undefined {
  const { address, fate, tookMs, evidence } = each
  const evidences = [evidence]
  if (fate === 'black')
    return { name: 'black', said: `${address} does not answer at all`, evidence: evidences }
  if (fate === 'refuses')
    return { name: 'refuses', said: `${address} refuses the connection`, evidence: evidences }
  if (fate === 'not-spoken')
    return { name: 'not-spoken', said: `${address} ${each.said}`, evidence: evidences }
  if (fate === 'no-echo')
    return { name: 'no-echo', said: `${address} is not an echo endpoint`, evidence: evidences }
  if (tookMs! - fastest < Math.max(slowMs, fastest)) return undefined
  const said = `${address} takes ${formatDuration(tookMs!)}, another one ${formatDuration(fastest)}`
  return { name: 'unequal', said, evidence: evidences }
}
