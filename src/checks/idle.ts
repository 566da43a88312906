/** Idle: how long may a connection be silent, and what becomes of it then? */
import { setTimeout as sleep } from 'node:timers/promises'
import { Socket } from 'node:net'
import { formatDuration } from '../vocabulary/units.ts'
import type { Probe } from './probe.ts'
import { witnessed, type Attribution } from './attribution.ts'
import { question, type Found } from './question.ts'
import { message, type Scene } from './scene.ts'

/** Each but the last is a fifth to a half of the next: idle timeouts are round numbers. */
const steps = [
  1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 350, 400, 600, 900, 1_200, 1_800,
]
const messageBytes = 16
/** Such a probe of the kernel keeps what forgets after two seconds and more. */
const keepAliveMs = 1_000

type Name = 'forgotten' | 'reset' | 'closed'

export const idle = question<Name>({
  asks: 'how long a connection may be silent, and what becomes of it then',
  transports: ['tcp', 'unix', 'tls', 'ws', 'wss'],
  figures: { idle: 'duration' },
  traced: 'all',
  waits: true,
  findings: {
    forgotten: {
      outcome: 'fails',
      effect:
        'What is said after a pause vanishes without an error: the program waits until its own ' +
        'timeout, or for ever. Pools of connections hand out dead ones.',
      advice:
        'A NAT, firewall or load balancer on the way forgets silent connections, and drops what ' +
        'it does not know (AWS NLB 350 s, many NATs 5 to 15 min, ' +
        '`nf_conntrack_tcp_timeout_established`). Raise its timeout, let it send RST, or send ' +
        'keep-alive more often than that (TCP: `tcp_keepalive_time`, SO_KEEPALIVE; gRPC, ws: ' +
        'pings).',
    },
    reset: {
      outcome: 'fails',
      effect:
        'The first message after a pause is lost, with an error: a program that does not try ' +
        'again fails now and then, after quiet times.',
      advice:
        'A NAT, firewall or load balancer forgets silent connections, and answers with RST. ' +
        'Raise its timeout, or send keep-alive more often than that.',
    },
    closed: {
      outcome: 'differs',
      effect: 'Both sides learn of the end; a pool of connections has to open new ones.',
      advice:
        'The server or a proxy has an idle timeout (HAProxy `timeout client`, nginx ' +
        '`proxy_timeout`, `proxy_read_timeout`, `yodel serve --idle-timeout`). Raise it if ' +
        'connections have to last longer; let the client close first, a little earlier.',
    },
  },
  cost: limits => ({
    atOnce: waits(limits.idleMs).length + 1,
    connections: waits(limits.idleMs).length + 1,
    bytes: 3 * messageBytes * (waits(limits.idleMs).length + 1),
    ms: limits.idleMs + 3 * limits.silenceMs,
  }),
  refuses: ({ limits }) =>
    limits.idleMs < 10 ? 'less than 10 ms of silence are no silence' : undefined,
  async ask(scene) {
    const all = waits(scene.limits.idleMs)
    const atOnce = Math.min(scene.known.atOnce ?? Infinity, scene.limits.maxConnections)
    // Of a server that takes few at once the longest waits say most.
    const chosen = atOnce > all.length ? all : all.slice(-Math.max(1, atOnce - 1))
    const keeping = atOnce > chosen.length ? keptAlive(scene, chosen.at(-1)!) : undefined
    const tries = await Promise.all(chosen.map(ms => silent(scene, ms)))
    const kept = await keeping
    const survivedMs = tries.findLast(({ fate }) => fate === 'echoed')?.waitMs ?? 0
    // What fared worse than a longer silence did not fare so because it was silent.
    const first = tries.find(({ fate, waitMs }) => fate !== 'echoed' && waitMs > survivedMs)
    if (!first)
      return {
        said: `after ${formatDuration(survivedMs)} of silence a connection works as before`,
        found: [],
        figures: { idle: survivedMs },
      }
    const found = describe(first, survivedMs, kept)
    return { said: found.said, found: [found], figures: { idle: survivedMs } }
  },
})

/** Graded, up to the longest. */
function waits(longestMs: number): number[] {
  const shorter = steps.map(seconds => seconds * 1e3).filter(ms => ms < longestMs * 0.8)
  return [...shorter, longestMs]
}

interface Silence {
  seen: Attribution | undefined
  waitMs: number
  fate: 'echoed' | 'closed' | 'reset' | 'forgotten'
  /** How old the silence was when the other side ended it; undefined if it did not. */
  endedMs?: number
  evidence: string
}

async function silent(scene: Scene, waitMs: number, prepare?: (probe: Probe) => void) {
  const probe = await scene.open()
  prepare?.(probe)
  const sent = message(scene.known, messageBytes)
  await probe.write(sent)
  await probe.bytes(sent.length, scene.silenceMs)
  const quietMs = performance.now()
  await Promise.race([sleep(waitMs, undefined, { signal: scene.signal }), over(probe)])
  if (probe.ending !== undefined) {
    const endedMs = probe.endedMs - quietMs
    const evidence = `${probe.ending} came after ${formatDuration(endedMs)} of silence`
    const seen = await scene.witness(probe)
    await probe.close()
    return { seen, waitMs, fate: 'closed' as const, endedMs, evidence }
  }
  probe.discard()
  await probe.write(sent)
  const waited = await probe.bytes(sent.length, scene.silenceMs)
  const fate: Silence['fate'] =
    waited === 'done' ? 'echoed' : waited === 'silence' ? 'forgotten' : 'reset'
  const came = { echoed: 'it came back', forgotten: 'nothing came', reset: `${probe.ending} came` }
  const evidence =
    `after ${formatDuration(waitMs)} of silence ${messageBytes} B were sent, and ` +
    `${came[fate as 'echoed']} within ${formatDuration(scene.silenceMs)}`
  const seen = fate === 'echoed' ? undefined : await scene.witness(probe)
  await probe.close()
  return { seen, waitMs, fate, evidence }
}

/** When the other side has ended it. */
const over = (probe: Probe): Promise<void> =>
  new Promise(resolve => {
    if (probe.ending !== undefined) resolve()
    for (const event of ['end', 'close', 'error']) probe.stream.once(event, () => resolve())
  })

/** Whether TCP keep-alive of this side keeps it; undefined where it has no TCP. */
async function keptAlive(scene: Scene, waitMs: number): Promise<boolean | undefined> {
  if (scene.address.transport !== 'tcp' || waitMs < 2 * keepAliveMs) return undefined
  const { fate } = await silent(scene, waitMs, ({ stream }) => {
    if (stream instanceof Socket) stream.setKeepAlive(true, keepAliveMs)
  })
  return fate === 'echoed'
}

function describe(
  { seen, fate, evidence, waitMs, ...rest }: Silence,
  survivedMs: number,
  kept: boolean | undefined,
): Found<Name> {
  const after = rest.endedMs === undefined ? waitMs : rest.endedMs
  const how = {
    forgotten: 'is forgotten: what is said is swallowed',
    reset: 'is forgotten: what is said is answered with RST',
    closed: 'was ended by the other side',
  }[fate as Name]
  const lines = [evidence]
  if (survivedMs > 0) lines.push(`after ${formatDuration(survivedMs)} it still worked`)
  const then = kept ? 'lives on' : 'ends, too'
  if (kept !== undefined)
    lines.push(`with TCP keep-alive every ${formatDuration(keepAliveMs)} it ${then}`)
  const found: Found<Name> = {
    name: fate as Name,
    said: `a connection that was silent for ${formatDuration(after)} ${how}`,
    evidence: lines,
    ...(kept === true && {
      where:
        'something on the way, or a timeout of the other system: packets without data keep the ' +
        'connection, so no program counts only what is said',
    }),
    ...(kept === false &&
      fate === 'closed' && {
        where: 'the program at the other end, or a proxy: packets without data do not keep it',
      }),
  }
  return witnessed(found, seen)
}
