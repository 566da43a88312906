/** Half-close: do bytes in flight still come after our FIN, and then the other FIN? */
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { carrying } from '../options/where.ts'
import { shownBytes } from './changes.ts'
import type { ProbeConnection } from './probe.ts'
import { persistent, timesMost } from './again.ts'
import { witnessed } from './attribution.ts'
import { question, type Found } from './question.ts'
import { message, type Scene } from './scene.ts'

/** The size of the larger message that is under way when FIN is sent. */
const bulkBytes = 128 * 1024
/** A FIN that comes this much later than it could have is called delayed. */
const lateMs = 200
/** How much longer to wait for a FIN than for any other reply: some relays wait for a second. */
const patience = 1.7

type Name = 'data-lost' | 'reset' | 'added' | 'fin-swallowed' | 'fin-delayed'
type Finding = Found<Name>

const relays =
  'Look for a relay that copies one direction at a time or closes both at the first FIN: socat ' +
  'without a long `-t`, `ncat` without `--no-shutdown`, stunnel, a proxy that speaks TLS or ' +
  'HTTP, a load balancer with a short half-close timeout (HAProxy: `timeout client-fin`, ' +
  '`timeout tunnel`).'

export const halfClose = question<Name>({
  asks: 'whether bytes in flight still come after our FIN, and then a FIN',
  transports: carrying('bytes'),
  figures: { fin: 'duration' },
  findings: {
    'data-lost': {
      outcome: 'fails',
      effect:
        'A client that sends a request, says that it is done, and reads the answer (`nc -N`, ' +
        '`cat file | ...`, rsync, many RPC clients) gets only a part of it, without an error.',
      advice: relays,
    },
    reset: {
      outcome: 'fails',
      effect: 'A client that half-closes sees "connection reset by peer" in place of an end.',
      advice:
        'The server closes the connection before it has read everything, or a relay closes both ' +
        'directions at the first FIN. ' +
        relays,
    },
    added: {
      outcome: 'fails',
      effect:
        'A program that reads up to the end takes what was added for a part of the answer: files ' +
        'have a wrong length, a last record cannot be read.',
      advice:
        'The server, or a proxy on the way, says something when a client has ended: a farewell, ' +
        'an error message, a log line on the same descriptor.',
    },
    'fin-swallowed': {
      outcome: 'fails',
      effect:
        'Both sides wait for each other until a timeout: connections pile up, pipes hang, and ' +
        'no error is seen.',
      advice:
        'A proxy on the way does not pass FIN on, or the server does not answer it. Compare with ' +
        'a connection that does not go through the proxy. ' +
        relays,
    },
    'fin-delayed': {
      outcome: 'differs',
      effect: 'Every connection that half-closes takes that much longer.',
      advice:
        'Something waits for a timeout before it passes FIN on (socat: `-t`, 0.5 s; `ncat -i`; ' +
        'linger timeouts of proxies). ' +
        relays,
    },
  },
  traced: 'all',
  cost: ({ silenceMs }) => ({
    atOnce: 1,
    // If bytes are missing, the same is sent once more, without FIN.
    connections: 3 * timesMost + 3,
    bytes: (timesMost + 1) * (bulkBytes + 1_000),
    ms: 10 * silenceMs,
  }),
  async ask(scene) {
    const found: Finding[] = []
    const latenesses: number[] = []
    let stuck: string | undefined
    for (const each of cases(scene)) {
      const isLate = found.some(({ name }) => name === 'fin-delayed')
      const seen = await persistent(
        () => askCase(scene, each),
        // A reset behind the last byte of an echo may lose some of it the next time.
        ({ bad }) => bad?.name === 'reset' || (bad?.name === 'fin-delayed' && !isLate),
      )
      stuck ??= seen.stuck
      scene.note(seen.bad)
      if (!seen.bad && seen.stuck === undefined) scene.passed = `FIN came back with ${each[0]}`
      // If one case is stuck, the others are too, and each takes the whole time of waiting.
      if (seen.stuck !== undefined) break
      if (seen.bad) found.push(seen.bad)
      if (seen.late !== undefined) latenesses.push(seen.late)
      // One case without FIN is enough: each such case takes the whole time of waiting.
      if (seen.isEndless) break
    }
    const first = found[0]
    if (!first && stuck !== undefined) return { notAsked: stuck }
    const fin = latenesses.length > 0 && !first ? Math.max(...latenesses) : null
    return {
      said: first
        ? first.said
        : scene.known.exact
          ? 'all bytes in flight came, and then FIN'
          : 'FIN came back each time (bytes are changed, so whether all came is not known)',
      found: unique(found),
      figures: { fin },
    }
  },
})

const isStuck = ({ receivedBytes }: ProbeConnection, sent: Buffer): boolean =>
  receivedBytes < sent.length / 2

type HalfCloseCase = [name: string, sent: Buffer, quietly: boolean]

async function askCase(
  scene: Scene,
  [name, sent, quietly]: HalfCloseCase,
): Promise<{ bad?: Finding; late?: number; stuck?: string; isEndless?: boolean }> {
  const probe = await scene.open()
  await probe.push(sent, scene.silenceMs)
  if (quietly) await probe.bytes(sent.length, scene.silenceMs)
  probe.fin()
  const finMs = performance.now()
  await probe.until(() => false, patience * scene.silenceMs)
  // Late bytes are not lost: on a busy machine they get more time.
  if (probe.ending === undefined && probe.receivedBytes < sent.length)
    await probe.bytes(sent.length, scene.silenceMs)
  // If most bytes do not come back, no FIN can. Other questions find out why.
  if (probe.ending === undefined && !scene.known.exact && isStuck(probe, sent)) {
    await probe.close()
    return {
      stuck: `${formatSize(sent.length)} sent at once do not come back, so no FIN can come either`,
    }
  }
  const bad = judge(scene, probe, { name, sent, finMs })
  const seen = bad && witnessed(bad, await scene.witness(probe))
  await probe.close()
  const isShort = scene.known.exact && probe.receivedBytes < sent.length
  if (bad && isShort && !(await comesBack(scene, sent)))
    return { stuck: `${formatSize(sent.length)} sent at once do not come back without FIN either` }
  return {
    ...(seen && { bad: seen }),
    isEndless: probe.ending === undefined,
    ...(probe.ending === 'FIN' && { late: lateBy(probe, finMs) }),
  }
}

/**
 * Whether the same bytes come back if no FIN is sent. If they do not, FIN was not the reason that
 * they were missing.
 */
async function comesBack(scene: Scene, sent: Buffer): Promise<boolean> {
  const probe = await scene.open()
  await probe.push(sent, scene.silenceMs)
  const waited = await probe.bytes(sent.length, scene.silenceMs)
  await probe.close()
  return waited === 'done'
}

/** What is sent before FIN, and whether its echo is waited for first. */
const cases = ({ known }: Scene): HalfCloseCase[] => [
  ['FIN right behind a small message', message(known, 100), false],
  [`FIN right behind ${formatSize(bulkBytes)}`, message(known, bulkBytes), false],
  ['FIN when all had come back', message(known, 100), true],
]

/** How late the FIN came: after the last byte, or after our own FIN if that was later. */
const lateBy = (probe: ProbeConnection, finMs: number): number =>
  probe.endedMs - Math.max(finMs, probe.receivedBytes > 0 ? probe.lastMs : 0)

/** How much came back, in words; `all` only if the path is known to change no bytes. */
function cameText({ known }: Scene, { receivedBytes }: ProbeConnection, sent: Buffer): string {
  const [came, of] = [receivedBytes, sent.length].map(formatSize)
  if (known.exact && receivedBytes === sent.length) return 'all came back'
  if (known.exact && receivedBytes > sent.length)
    return `all came back, and ${formatSize(receivedBytes - sent.length)} more`
  return `${came} of ${of} came back`
}

function judge(
  scene: Scene,
  probe: ProbeConnection,
  { name, sent, finMs }: { name: string; sent: Buffer; finMs: number },
): Finding | undefined {
  // If bytes are translated, their number does not show whether some are missing.
  const missing = scene.known.exact ? sent.length - probe.receivedBytes : 0
  const came = cameText(scene, probe, sent)
  const [back, of] = [probe.receivedBytes, sent.length].map(formatSize)
  const evidence = [`${name}: ${back} of ${of} came back`, probe.story]
  if (probe.ending === 'RST' || probe.ending === 'broken') {
    const said = `${name}: ${came}, then the connection was reset`
    return { name: missing > 0 ? 'data-lost' : 'reset', said, evidence }
  }
  if (missing > 0 && probe.ending === 'FIN')
    return { name: 'data-lost', said: `${name}: ${came}, then FIN`, evidence }
  if (probe.ending === undefined) {
    const waited = formatDuration(patience * scene.silenceMs)
    const what = missing > 0 ? `only ${came}, and then` : `${came}, but`
    return {
      name: missing > 0 ? 'data-lost' : 'fin-swallowed',
      said: `${name}: ${what} no FIN within ${waited}`,
      evidence,
    }
  }
  if (missing < 0) {
    const extra = probe.received.subarray(sent.length)
    evidence.push(`behind the echo came ${shownBytes(extra, 60)}`)
    return { name: 'added', said: `${name}: ${came}`, evidence }
  }
  const late = lateBy(probe, finMs)
  if (late < lateMs + 4 * scene.known.rttMs) return undefined
  return {
    name: 'fin-delayed',
    said: `${name}: FIN came ${formatDuration(late)} late`,
    evidence,
  }
}

/** The first finding of each name. */
const unique = (found: readonly Finding[]): Finding[] =>
  found.filter(({ name }, at) => found.findIndex(other => other.name === name) === at)
