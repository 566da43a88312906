/** Idle: how long may a connection be silent, and what becomes of it then? */
import { Socket } from 'node:net'
import { isDatagrams, transportNames, transports } from '../vocabulary/transport.ts'
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import type { ProbeConnection } from './probe.ts'
import { witnessed } from './attribution.ts'
import { requestBytes, silent, silentDatagrams, silentRequest } from './idle-silence.ts'
import type { Silence } from './idle-silence.ts'
import { question, type Found } from './question.ts'
import type { Scene } from './scene.ts'

/** In seconds: idle timeouts are round numbers. */
const steps = [
  1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 350, 400, 600, 900, 1_200, 1_800,
]
/** A connection with keep-alive this often outlives idle timeouts of two seconds and more. */
const keepAliveMs = 1_000

/** Servers of HTTP keep a connection without a request for 5 s and more (Node, Apache). */
const keptLeastMs = 4_000

type Name =
  | 'forgotten'
  | 'reset'
  | 'closed'
  | 'short-keep-alive'
  | 'unreachable'
  | 'added'
  | 'changed'

export const idle = question<Name>({
  asks: 'how long a connection may be silent, and what becomes of it then',
  transports: transportNames,
  figures: { idle: 'duration' },
  traced: 'all',
  waits: true,
  findings: {
    forgotten: {
      outcome: 'fails',
      effect:
        'Messages after a pause vanish without an error: the program waits until its own ' +
        'timeout, or for ever. Connection pools hand out dead connections.',
      advice:
        'A NAT, firewall or load balancer on the way forgets silent connections, and then drops ' +
        'their packets (AWS NLB 350 s, many NATs 5 to 15 min, ' +
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
    'short-keep-alive': {
      outcome: 'differs',
      effect:
        'A request that is sent just as the connection ends is lost (a proxy in front answers ' +
        '502, a client reports "socket hang up"), and most requests need a new connection.',
      advice:
        'A short keep-alive timeout of the server or a proxy (nginx `keepalive_timeout`, HAProxy ' +
        '`timeout http-keep-alive`, Node `keepAliveTimeout`, Apache `KeepAliveTimeout`). A ' +
        'server has to keep idle connections longer than the pools of its clients keep them.',
    },
    added: {
      outcome: 'fails',
      effect:
        'A program takes what came in the silence for the answer to its next message, and each ' +
        'answer from then on for the answer to the message before.',
      advice:
        'The server, or a proxy on the way, sends something by itself to clients that are ' +
        'silent: a keep-alive of its own, a notice, a farewell before it ends the connection.',
    },
    changed: {
      outcome: 'fails',
      effect: 'The first message after a pause is damaged, those before it are not.',
      advice:
        'Something on the way forgets its state in a silence: a proxy that opens a new ' +
        'connection to the server without a word, a gateway that falls asleep, a serial line.',
    },
    unreachable: {
      outcome: 'fails',
      effect:
        'Incoming data after a silence (SIP calls, WireGuard tunnels, QUIC) is lost until the ' +
        'client sends something.',
      advice:
        'A NAT or firewall on the way forgets silent udp clients (30 s is usual, ' +
        '`nf_conntrack_udp_timeout`). Send something more often (WireGuard PersistentKeepalive, ' +
        'SIP and QUIC keep-alive), or raise its timeout.',
    },
  },
  cost: limits => ({
    atOnce: waits(limits.idleMs).length + 1,
    connections: waits(limits.idleMs).length + 2,
    bytes: 3 * requestBytes * (waits(limits.idleMs).length + 1),
    ms: limits.idleMs + 5 * limits.silenceMs,
  }),
  refuses({ limits, address, control }) {
    if (limits.idleMs < 10) return 'a silence of less than 10 ms is too short to be tried'
    if (!isDatagrams(address) || control) return undefined
    return 'only the server can say whether it reaches a silent client: see --control'
  },
  async ask(scene) {
    const graded = waits(scene.limits.idleMs)
    // If the other end keeps traces, one connection is left free to ask for them.
    const most = scene.limits.maxConnections - (scene.known.paired ? 1 : 0)
    const atOnce = Math.min(scene.known.atOnce ?? Infinity, most)
    // If a server serves few connections at once, only the longest silences are tried.
    const chosen = atOnce > graded.length ? graded : graded.slice(-Math.max(1, atOnce - 1))
    const keeping = atOnce > chosen.length ? keptAlive(scene, chosen.at(-1)!) : undefined
    // If this connection cannot be made, the others cannot either, and one of them reports it.
    keeping?.catch(() => {})
    const datagrams = isDatagrams(scene.address)
    const isHttp = transports[scene.address.transport].protocol === 'http'
    const all = datagrams
      ? await silentDatagrams(scene, chosen)
      : await Promise.all(
          chosen.map(async ms => {
            const told = await (isHttp ? silentRequest : silent)(scene, ms)
            const after = formatDuration(ms)
            if (told.fate === 'echoed') scene.passed = `it worked after ${after} of silence`
            return told
          }),
        )
    const kept = await keeping
    const tries = all.filter(each => each !== undefined)
    if (tries.length < all.length) return { notAsked: 'the other end has no account of it' }
    const survivedMs = tries.findLast(({ fate }) => fate === 'echoed')?.waitMs ?? 0
    // If a connection survived a longer silence, silence is not why one with a shorter silence
    // ended.
    const first = unraced(
      tries,
      tries.find(({ fate, waitMs }) => fate !== 'echoed' && waitMs > survivedMs),
    )
    const extra = describeAdded(tries)
    const more = extra ? [extra] : []
    const answer = first ? describe(first, survivedMs, kept, scene) : undefined
    if (answer && !datagrams) await lookAgain(scene, [...more, answer])
    if (!first || !answer)
      return {
        said:
          `after ${formatDuration(survivedMs)} of silence ` +
          (datagrams ? 'the server reaches this client as before' : 'a connection works as before'),
        found: more,
        figures: { idle: survivedMs },
      }
    // Every HTTP server ends connections on which no next request comes.
    if (isHttp && first.fate === 'closed') {
      const { endedMs = first.waitMs, evidence } = first
      const said = `a connection is kept for ${formatDuration(endedMs)} without a request`
      const short: Found<Name> = { name: 'short-keep-alive', said, evidence: [evidence] }
      const found = endedMs < keptLeastMs ? [short] : []
      return { said, found: [...more, ...found], figures: { idle: survivedMs } }
    }
    return { said: answer.said, found: [...more, answer], figures: { idle: survivedMs } }
  },
})

/** All connections end, too, if their server goes away: then a new one does not open. */
async function lookAgain(scene: Scene, found: readonly Found<Name>[]): Promise<void> {
  scene.note(...found)
  const probe = await scene.open()
  await probe.close()
}

/** If FIN comes this soon after a byte was to be sent, the byte and the FIN may have crossed. */
const raceMs = 500

/**
 * The other side answers a byte that crosses its FIN with RST. Then another try that saw the FIN
 * shows more than the RST.
 */
function unraced(tries: readonly Silence[], first: Silence | undefined): Silence | undefined {
  if (first?.fate !== 'reset') return first
  const isNear = ({ fate, endedMs = Infinity }: Silence) =>
    fate === 'closed' && endedMs < first.waitMs + raceMs
  return tries.find(isNear) ?? first
}

/** The silences to try, up to the longest. */
function waits(longestMs: number): number[] {
  const shorter = steps.map(seconds => seconds * 1e3).filter(ms => ms < longestMs * 0.8)
  return [...shorter, longestMs]
}

/**
 * Whether a connection survives with keep-alive of this side (of TCP, or pings); undefined where
 * there is no keep-alive.
 */
async function keptAlive(scene: Scene, waitMs: number): Promise<boolean | undefined> {
  const prepare = keepers[scene.address.transport]
  if (!prepare || waitMs < 2 * keepAliveMs) return undefined
  const { fate } = await silent(scene, waitMs, prepare)
  return fate === 'echoed'
}

function ping({ stream }: ProbeConnection) {
  const { ping: send } = stream as { ping?: () => Promise<number> }
  const pinging = setInterval(() => void send?.call(stream).catch(() => {}), keepAliveMs)
  return () => clearInterval(pinging)
}

const keepers: Partial<Record<string, (probe: ProbeConnection) => () => void>> = {
  tcp({ stream }) {
    if (stream instanceof Socket) stream.setKeepAlive(true, keepAliveMs)
    return () => {}
  },
  ws: ping,
  wss: ping,
}

/** Describes bytes that came in a silence; of several such silences, the shortest. */
function describeAdded(tries: readonly Silence[]): Found<Name> | undefined {
  const { added, seen, waitMs = 0 } = tries.find(each => each.added !== undefined) ?? {}
  if (!added) return undefined
  const size = formatSize(added.bytes.length)
  const said = `${size} came in a silence of ${formatDuration(waitMs)}, and nothing was sent`
  return witnessed({ name: 'added', said, evidence: [added.evidence] }, seen)
}

function describe(
  { seen, fate, evidence, waitMs, ...rest }: Silence,
  survivedMs: number,
  kept: boolean | undefined,
  { address }: Scene,
): Found<Name> {
  const after = rest.endedMs === undefined ? waitMs : rest.endedMs
  const how = {
    forgotten: 'is forgotten: messages on it vanish',
    reset: `is forgotten: messages on it are answered with ${rest.ending ?? 'RST'}`,
    closed: 'was ended by the other side',
    unreachable: 'is no longer reached',
    changed: 'works, but the next message comes back as other bytes',
  }[fate as Exclude<Silence['fate'], 'echoed'>]
  const lines = [evidence]
  if (survivedMs > 0) lines.push(`after ${formatDuration(survivedMs)} it still worked`)
  const isMessages = transports[address.transport].protocol === 'ws'
  const keeper = isMessages ? 'a ping' : 'TCP keep-alive'
  const then = kept ? 'lives on' : 'ends, too'
  if (kept !== undefined)
    lines.push(`with ${keeper} every ${formatDuration(keepAliveMs)} it ${then}`)
  const what = isDatagrams(address) ? 'a client' : 'a connection'
  const found: Found<Name> = {
    name: fate as Name,
    said: `${what} that was silent for ${formatDuration(after)} ${how}`,
    evidence: lines,
    ...(kept === true &&
      !isMessages && {
        where:
          'something on the way, or a timeout of the other system: packets without data keep the ' +
          'connection alive, so the limit is not that of a program, which sees only messages',
      }),
    ...(kept === false &&
      fate === 'closed' && {
        where:
          'the program at the other end, or a proxy: packets without data do not keep the ' +
          'connection alive',
      }),
  }
  return witnessed(found, seen)
}
