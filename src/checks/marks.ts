/** Marks of datagrams, DSCP and ECN (RFC 2474, RFC 3168): does the path keep them, each way? */
import { setTimeout as sleep } from 'node:timers/promises'
import { MarkedSocket, noMarks } from '../engines/os/marked-datagrams.ts'
import { addressesOf } from '../engines/os/resolver.ts'
import { reachableFrom, sourceOf } from '../options/route.ts'
import type { HostAddress } from '../vocabulary/address.ts'
import { plural } from '../vocabulary/units.ts'
import type { MarksSeen } from '../engines/accounts.ts'
import type { Own } from './control.ts'
import type { Found } from './question.ts'
import type { Scene } from './scene.ts'
import type { UdpFinding } from './udp-findings.ts'

type Finding = Found<UdpFinding>

/** EF, as voice has it (RFC 3246), and ECT(0), as most that speak ECN. */
const dscpSent = 46
const markSent = (dscpSent << 2) | 2
const data = Buffer.from('yodel check: marked')
const plain = Buffer.from('yodel check: plain')
const markedCount = 20
/** How many datagrams without a mark are sent at most, until the other end knows this client. */
const triesMax = 3
const roundsMax = 2
export const markedBytes = (roundsMax * markedCount + triesMax) * data.length
const everyMs = 10
const lookEveryMs = 1

export interface Marks {
  /** Ends a sentence. */
  said: string
  found: Finding[]
}

const notAsked = (why: string): Marks => ({
  said: `marks (DSCP, ECN) not asked: ${why}`,
  found: [],
})

/** How many datagrams came with each mark. */
export type Tally = ReadonlyMap<number, number>

export async function askMarks(scene: Scene): Promise<Marks> {
  const { control, calling } = scene
  if (!control) return notAsked('only the server can say what came of them, see --control')
  const refusal = noMarks()
  if (refusal !== undefined) return notAsked(refusal)
  const { host, port } = scene.address as HostAddress
  const [address] = reachableFrom(calling, await addressesOf(host))
  const to = { transport: 'udp', host: address!, port } as const
  const socket = await scene.adopt(
    async () => MarkedSocket.to(to, calling, sourceOf(calling, 0)),
    opened => opened.close(),
    // The socket is closed when the question ends.
    () => new Promise(() => {}),
  )
  const own: Own = { local: socket.local, openedAt: Date.now() }
  const sentPlain = await greet(scene, socket)
  if (sentPlain === undefined) return notAsked('this client got no answer')
  const account = await scene.accountOf(own)
  if (!account) return notAsked('the server has no account of this client')
  const isAsked = await control.mark(account.peer, markSent).then(
    () => true,
    () => false,
  )
  if (!isAsked) return notAsked('the server is of a version that cannot read them')
  socket.mark = markSent
  const came = new Map<number, number>()
  // If none came, a second exchange has to confirm it.
  for (let tries = 0; tries < roundsMax && came.size === 0; tries++)
    await exchange(scene, socket, came)
  const { marks } = (await scene.accountOf(own)) ?? account
  if (!marks) return notAsked('the server has no account of this client any more')
  if (marks.refusedBecause !== null) return notAsked(`the server cannot: ${marks.refusedBecause}`)
  return judgeMarks(withoutLate(marks.came, sentPlain - 1), came)
}

/**
 * Sends datagrams without a mark until one has come back. Resolves with how many were sent;
 * undefined if none came back.
 */
async function greet(scene: Scene, socket: MarkedSocket): Promise<number | undefined> {
  for (let tries = 1; tries <= triesMax; tries++) {
    scene.spend(plain.length)
    socket.send(plain)
    if ((await answers(scene, socket, 1, new Map(), plain)).size > 0) return tries
  }
  return undefined
}

/** Late datagrams without a mark may be in the tally: this takes them out. */
function withoutLate(came: MarksSeen['came'], lateMax: number): Tally {
  const tally = new Map(came.map(row => [row.mark, row.datagrams]))
  const unmarked = (tally.get(0) ?? 0) - lateMax
  if (unmarked > 0) tally.set(0, unmarked)
  else tally.delete(0)
  return tally
}

async function exchange(scene: Scene, socket: MarkedSocket, came: Map<number, number>) {
  for (let count = 0; count < markedCount; count++) {
    scene.spend(data.length)
    socket.send(data)
    await sleep(everyMs)
    collect(socket, came)
  }
  const missing = markedCount - sizeOf(came)
  if (missing > 0) await answers(scene, socket, missing, came)
}

/** Collects answers until there are this many, or until none has come for `silenceMs`. */
async function answers(
  { silenceMs, signal }: Scene,
  socket: MarkedSocket,
  count: number,
  came = new Map<number, number>(),
  wantedData = data,
): Promise<Map<number, number>> {
  const wanted = sizeOf(came) + count
  const endMs = performance.now() + silenceMs
  while (sizeOf(came) < wanted && performance.now() < endMs) {
    await sleep(lookEveryMs, undefined, { signal })
    collect(socket, came, wantedData)
  }
  return came
}

function collect(socket: MarkedSocket, came: Map<number, number>, wantedData = data) {
  for (let next = socket.receive(); next; next = socket.receive())
    if (next.data.equals(wantedData)) came.set(next.mark, (came.get(next.mark) ?? 0) + 1)
}

const sizeOf = (came: Tally): number => [...came.values()].reduce((sum, count) => sum + count, 0)

/**
 * @param up the marks that arrived at the other end
 * @param down the marks of its answers, as they arrived here
 */
export function judgeMarks(up: Tally, down: Tally): Marks {
  const found = judgeWay(up, 'up', Math.max(markedCount, sizeOf(up)))
  // The other end cannot answer datagrams that did not arrive.
  const sentBack = sizeOf(up)
  if (sentBack > 0) found.push(...judgeWay(down, 'down', sentBack))
  const congested = [up, down].reduce((sum, came) => sum + countOf(came, isCongested), 0)
  const said =
    found.length > 0
      ? found[0]!.said
      : `DSCP ${nameOfDscp(dscpSent)} and ECN ECT(0) are kept both ways` +
        (congested > 0 ? `; ${plural(congested, 'datagram')} came with CE: a queue was full` : '')
  return { said, found }
}

const ecnOf = (mark: number): number => mark & 3
const dscpOf = (mark: number): number => mark >> 2
/** With ECN a router marks a datagram in place of dropping it, if its queue is full. */
const isCongested = (mark: number) => ecnOf(mark) === 3
const ecnNames = ['not-ECT', 'ECT(1)', 'ECT(0)', 'CE'] as const

/** The name of a DSCP, if RFC 2474, RFC 2597 or RFC 3246 gives it one. */
function nameOfDscp(dscp: number): string {
  const [group, drop] = [dscp >> 3, (dscp & 7) >> 1]
  if (dscp === 46) return 'EF (46)'
  if ((dscp & 7) === 0) return `CS${group} (${dscp})`
  return (dscp & 1) === 0 && group <= 4 && drop <= 3 ? `AF${group}${drop} (${dscp})` : `${dscp}`
}

const textOf = (mark: number): string =>
  `DSCP ${nameOfDscp(dscpOf(mark))}, ECN ${ecnNames[ecnOf(mark)]}`

const countOf = (came: Tally, is: (mark: number) => boolean): number =>
  [...came].reduce((sum, [mark, count]) => sum + (is(mark) ? count : 0), 0)

const wayOf = { up: 'on the way there', down: 'on the way back' }

function judgeWay(came: Tally, side: 'up' | 'down', sent: number): Finding[] {
  const all = sizeOf(came)
  const listed = [...came].map(([mark, count]) => `${count} with ${textOf(mark)}`).join(', ')
  const where =
    side === 'up'
      ? 'on the way to the other end, which says what came'
      : 'on the way back: the other end set the marks'
  const evidence = [
    `${sent} were sent with ${textOf(markSent)} ${wayOf[side]}; ` +
      (all > 0 ? `what came: ${listed}` : 'none came, though those without marks do'),
  ]
  const about = { evidence, side, where }
  const lost = `datagrams with DSCP and ECN vanish ${wayOf[side]}`
  if (all === 0) return [{ name: 'marks-lost', said: lost, ...about }]
  const found: Finding[] = []
  const others = [...came.keys()].filter(each => ![2, 3].includes(ecnOf(each)))
  if (others.length > 0) {
    const became = [...new Set(others.map(each => ecnNames[ecnOf(each)]))].join(' and ')
    const said = `ECN is bleached ${wayOf[side]}: ECT(0) becomes ${became}`
    found.push({ name: 'ecn-bleached', said, ...about })
  }
  const classes = [...new Set([...came.keys()].map(dscpOf))].filter(each => each !== dscpSent)
  if (classes.length > 0) {
    const became = classes.map(nameOfDscp).join(' and ')
    const said = `DSCP is rewritten ${wayOf[side]}: ${nameOfDscp(dscpSent)} becomes ${became}`
    found.push({ name: 'dscp-rewritten', said, ...about })
  }
  return found
}
