/** UDP: are datagrams lost, doubled, reordered, changed, or answered from elsewhere? */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { carrying } from '../options/where.ts'
import { persistent } from './again.ts'
import type { Account } from './control.ts'
import { Datagrams, type SentDatagram } from './datagrams.ts'
import { askMarks, markedBytes } from './marks.ts'
import { median } from './quantile.ts'
import { question, type Found } from './question.ts'
import type { Scene } from './scene.ts'
import { udpFindings, type UdpFinding } from './udp-findings.ts'

type Finding = Found<UdpFinding>
const bytes = 64
/** First at a low rate, then faster: how many datagrams, and how far apart. */
const slowly = { count: 60, everyMs: 12 }
const fast = { count: 200, everyMs: 1 }
/** If more than this share is lost, that is not chance. */
const seriousShare = 0.02

export const udp = question<UdpFinding>({
  asks:
    'whether datagrams are lost, doubled, reordered, changed, or answered from elsewhere, and ' +
    'whether they keep DSCP and ECN',
  transports: carrying('datagrams'),
  needsMs: 8_000,
  figures: { loss: 'fraction', 'datagram-rtt': 'duration' },
  findings: udpFindings,
  cost: ({ thorough, silenceMs }) => ({
    atOnce: 2,
    connections: 4,
    bytes: (thorough ? 40 : 2) * bytes * (slowly.count + fast.count) + markedBytes,
    // On a busy machine timers are late.
    ms: 5 * slowly.count * slowly.everyMs * (thorough ? 20 : 1) + 6 * silenceMs,
  }),
  async ask(scene) {
    const calm = await send(scene, {
      ...slowly,
      count: slowly.count * (scene.limits.thorough ? 20 : 1),
    })
    const seen = await scene.accountOf(calm)
    calm.close()
    const found = judge(calm).map(each => withAccount(each, calm, seen))
    scene.note(...found)
    scene.passed = `${calm.sent.length} datagrams were sent at a low rate`
    const calmLoss = lossOf(calm)
    if (!found.some(({ name }) => name === 'lost')) {
      const limited = await persistent(
        async () => {
          const burst = await send(scene, fast)
          const bad = judgeBurst(burst)
          const told = bad && withAccount(bad, burst, await scene.accountOf(burst))
          burst.close()
          return told
        },
        finding => finding !== undefined,
        2,
      )
      if (limited) found.push(limited)
      scene.note(limited)
    }
    const marks = await askMarks(scene)
    found.push(...marks.found)
    const times = calm.sent.flatMap(({ sentMs, cameMs }) =>
      cameMs === undefined ? [] : [cameMs - sentMs],
    )
    const middle = median(times)
    return {
      said:
        found[0]?.said ??
        `${plural(calm.sent.length + fast.count, 'datagram')}, each came back once, in order, ` +
          `unchanged; half of them within ${formatDuration(middle ?? 0)}; ${marks.said}`,
      found,
      figures: { loss: calmLoss, 'datagram-rtt': middle },
    }
  },
})

/** Datagrams that came back neither whole nor changed. */
const lostOf = ({ sent, changed }: Datagrams): SentDatagram[] => {
  const came = new Set(changed.map(({ number }) => number))
  return sent.filter(({ cameMs, number }) => cameMs === undefined && !came.has(number))
}

const lossOf = (datagrams: Datagrams): number => lostOf(datagrams).length / datagrams.sent.length

async function send(
  scene: Scene,
  { count, everyMs }: { count: number; everyMs: number },
): Promise<Datagrams> {
  const datagrams = await Datagrams.open(scene)
  const startedMs = performance.now()
  let last: SentDatagram | undefined
  for (let number = 0; number < count; number++) {
    // If a datagram is late, those after it keep their distance: catching up would be a burst.
    last = datagrams.send(bytes)
    await sleep(Math.max(1, startedMs + (number + 1) * everyMs - performance.now()))
  }
  await datagrams.came(last!, scene.silenceMs / 2)
  if (lossOf(datagrams) > 0) await sleep(scene.silenceMs / 2)
  return datagrams
}

function judge(datagrams: Datagrams): Finding[] {
  const { sent, changed, strangers, errors } = datagrams
  const found: Finding[] = []
  const lost = lostOf(datagrams)
  const every = formatDuration(slowly.everyMs)
  if (strangers.length > 0)
    found.push({
      name: 'other-address',
      said: 'answers come from another address than the one that was asked',
      evidence: [`${strangers.length} of ${sent.length} answers came from ${strangers[0]}`],
    })
  if (lost.length > 0) {
    const share = lost.length / sent.length
    const refusal = errors.size > 0 ? ` (${[...errors].join(', ')})` : ''
    found.push({
      name: share > seriousShare ? 'lost' : 'few-lost',
      said: `${lost.length} of ${plural(sent.length, 'datagram')} did not come back: lost`,
      evidence: [
        `${sent.length} were sent ${every} apart; without an answer: numbers ` +
          `${lost
            .slice(0, 12)
            .map(({ number }) => number)
            .join(', ')}${refusal}`,
      ],
    })
  }
  const twice = sent.filter(({ times }) => times > 1)
  if (twice.length > 0)
    found.push({
      name: 'duplicated',
      said: `${twice.length} of ${plural(sent.length, 'datagram')} came back twice`,
      evidence: [
        `twice and more: numbers ${twice
          .slice(0, 12)
          .map(({ number }) => number)
          .join(', ')}`,
      ],
    })
  const late = sent.filter(({ isLate }) => isLate)
  if (late.length > 0)
    found.push({
      name: 'reordered',
      said: `${late.length} of ${plural(sent.length, 'datagram')} came out of order`,
      evidence: [
        `sent ${every} apart; behind a later one came numbers ` +
          late
            .slice(0, 12)
            .map(({ number }) => number)
            .join(', '),
      ],
    })
  if (changed.length > 0)
    found.push({
      name: 'changed',
      said: `${changed.length} of ${plural(sent.length, 'datagram')} came back changed`,
      evidence: [`one of them, number ${changed[0]!.number}, has ${changed[0]!.data.length} B now`],
    })
  return found
}

/** In which direction datagrams were lost, by how many the other end got and answered. */
function withAccount(found: Finding, { sent }: Datagrams, account: Account | undefined): Finding {
  if (!account?.datagrams) return found
  const { came, answered } = account.datagrams
  const back = sent.reduce((sum, { times }) => sum + times, 0)
  const witness =
    `the other end, of datagrams from ${account.peer}: ${came} of ${sent.length} arrived, ` +
    `${answered} were answered, ${back} of these answers came`
  const ways = {
    up: came !== sent.length,
    'other end': answered !== came,
    down: back !== answered,
  }
  const wrong = (Object.keys(ways) as (keyof typeof ways)[]).filter(way => ways[way])
  const isCounted = ['lost', 'few-lost', 'rate-limited', 'duplicated'].includes(found.name)
  if (!isCounted || wrong.length === 0) return { ...found, witness }
  if (wrong.length === 1) return { ...found, witness, side: wrong[0]! }
  return { ...found, witness, where: `in several places: ${wrong.join(', ')}` }
}

function judgeBurst(burst: Datagrams): Finding | undefined {
  const share = lossOf(burst)
  if (share <= seriousShare) return undefined
  const lost = Math.round(share * burst.sent.length)
  const first = lostOf(burst)[0]!
  const lastMs = burst.sent.at(-1)!.sentMs
  const perSecond = Math.round((burst.sent.length * 1e3) / (lastMs - burst.sent[0]!.sentMs))
  return {
    name: 'rate-limited',
    said: `at a rate of ${perSecond}/s ${lost} of ${burst.sent.length} datagrams are lost`,
    evidence: [
      `${burst.sent.length} were sent at ${perSecond}/s, the first that did not come back was ` +
        `number ${first.number}; at ${Math.round(1e3 / slowly.everyMs)}/s all but a few came back`,
    ],
  }
}
