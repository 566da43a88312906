/** WebSocket: are messages kept as they were, with their kinds, bounds, pings and close codes? */
import type { WebSocket } from 'ws'
import { formatAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { printable } from '../vocabulary/text.ts'
import { formatDuration, formatSize, plural } from '../vocabulary/units.ts'
import { speaking } from '../options/where.ts'
import { persistent } from './again.ts'
import { witnessed } from './attribution.ts'
import { isGone } from './gone.ts'
import { joined, question, type Answer, type Found } from './question.ts'
import type { Scene } from './scene.ts'
import { wsFindings, type WsFinding } from './ws-findings.ts'
import { WsInbox } from './ws-inbox.ts'
import { askOffers } from './ws-offers.ts'
import { accountOf, openWs, witnessOf } from './ws-socket.ts'

type Finding = Found<WsFinding>
/** In the order in which they are tried; each message has to come back whole. */
const sizes = [125, 126, 65_535, 65_536, 262_144]
const closeCode = 4_321
/** Findings that only a silence has shown. */
const byTime: ReadonlySet<WsFinding> = new Set(['stuck', 'limit', 'no-pong', 'no-close'])
/** How often the question is asked if it has such a finding. */
const timesMost = 2
/** Findings whose direction follows from the counts of the other end. */
const countsTell: ReadonlySet<WsFinding> = new Set(['stuck', 'limit', 'no-pong', 'added'])

export const ws = question<WsFinding>({
  asks: 'whether messages keep their kinds and bounds, and pings and close codes pass',
  transports: speaking('ws'),
  withoutEcho: true,
  needsMs: 7_000,
  figures: { ping: 'duration', message: 'size' },
  findings: wsFindings,
  cost: ({ silenceMs }) => ({
    atOnce: 1,
    connections: 3 * timesMost,
    bytes: timesMost * 2 ** 20,
    ms: 8 * silenceMs,
  }),
  ask: scene =>
    persistent(
      () => askAll(scene),
      ({ found }) => found.some(({ name }) => byTime.has(name)),
      timesMost,
    ),
})

async function askAll(scene: Scene): Promise<Answer<WsFinding>> {
  const found: Finding[] = []
  const socket = await openWs(scene, {}).catch((error: Error) => error)
  if (socket instanceof UserError && isGone(socket)) throw socket
  if (socket instanceof Error) return notUpgraded(scene, socket)
  const inbox = new WsInbox(scene, socket)
  await inbox.quiet('before anything was sent')
  const kinds = joined(await askKinds(scene, socket, inbox))
  found.push(...kinds)
  scene.note(...kinds)
  const ping = await askPing(scene, socket)
  found.push(...ping.found)
  scene.note(...ping.found)
  let largest = 0
  for (const size of kinds.length === 0 ? sizes : []) {
    const failed = await askSize(scene, socket, inbox, size)
    if (failed) {
      found.push(failed)
      scene.note(failed)
      break
    }
    largest = size
    scene.passed = `messages up to ${formatSize(largest)} came back`
  }
  await inbox.quiet('when all echoes had come')
  const added = describeAdded(inbox)
  found.push(...added)
  scene.note(...added)
  // Asks the other end before the connection is closed.
  const wrong = found.filter(({ name }) => countsTell.has(name))
  const seen = wrong.length > 0 ? await witnessOf(scene, socket) : undefined
  for (const [at, each] of found.entries())
    if (wrong.includes(each)) found[at] = witnessed(each, seen)
  const close = await askClose(scene, socket)
  if (close) found.push(close)
  scene.note(close)
  socket.terminate()
  const { agreed, findings } = await askOffers(scene)
  found.push(...findings)
  const said =
    found[0]?.said ??
    `text, binary, fragments up to ${formatSize(largest)}, ping and close codes pass; ${agreed}`
  return { said, found, figures: { ping: ping.ms ?? null, message: largest } }
}

function describeAdded({ added, addedCount }: WsInbox): Finding[] {
  if (addedCount === 0) return []
  const said = `${plural(addedCount, 'message')} came in addition to the echoes`
  return [{ name: 'added', said, evidence: added }]
}

function notUpgraded(scene: Scene, error: Error): Answer<WsFinding> {
  const why = printable(error.message)
  const found: Finding = {
    name: 'no-upgrade',
    said: `the upgrade to WebSocket is refused: ${why}`,
    evidence: [`a GET with Upgrade: websocket was sent to ${formatAddress(scene.address)}; ${why}`],
  }
  return { said: found.said, found: [found] }
}

async function askKinds(scene: Scene, socket: WebSocket, inbox: WsInbox): Promise<Finding[]> {
  const tries: [name: string, send: () => void, data: Buffer, isBinary: boolean][] = [
    ['text', () => socket.send('grüße ✓'), Buffer.from('grüße ✓'), false],
    ['binary', () => socket.send(Buffer.of(0, 255, 128)), Buffer.of(0, 255, 128), true],
    ['an empty message', () => socket.send(''), Buffer.alloc(0), false],
    [
      'a message in three fragments',
      () => {
        socket.send('one ', { fin: false })
        socket.send('two ', { fin: false })
        socket.send('three', { fin: true })
      },
      Buffer.from('one two three'),
      false,
    ],
  ]
  const found: Finding[] = []
  for (const [name, send, data, isBinary] of tries) {
    scene.spend(data.length)
    const message = await inbox.echo(send, data)
    const came = message
      ? `${formatSize(message.data.length)} of ${message.isBinary ? 'binary' : 'text'} came`
      : `nothing came within ${formatDuration(scene.silenceMs)}`
    const evidence = [`${name} (${formatSize(data.length)}) was sent, ${came}`]
    if (!message) found.push({ name: 'stuck', said: `${name} does not come back`, evidence })
    else if (!message.data.equals(data))
      found.push({ name: 'changed', said: `${name} came back as something else`, evidence })
    else if (message.isBinary !== isBinary)
      found.push({ name: 'kind', said: `${name} came back as the other kind`, evidence })
    if (!message) break
  }
  return found
}

/** The longest payload of a ping (RFC 6455 section 5.5). */
const pingBytes = 125

interface Pinged {
  ms: number | undefined
  found: Finding[]
}

/** Whether a ping is answered; and, if the other end says what it saw, by which end. */
async function askPing(scene: Scene, socket: WebSocket): Promise<Pinged> {
  const before = await accountOf(scene, socket)
  const ms = await pingOnce(scene, socket)
  if (ms === undefined) return { ms, found: [noPong(scene)] }
  const after = before && (await accountOf(scene, socket))
  const arrived = before && after && after.bytesIn - before.bytesIn
  if (arrived === undefined || arrived >= pingBytes) return { ms, found: [] }
  const found: Finding = {
    name: 'foreign-pong',
    said: 'a ping is answered on the way, and does not reach the server',
    evidence: [
      `a ping of ${formatSize(pingBytes)} was sent, a pong with the same bytes came within ` +
        formatDuration(ms),
      `meanwhile ${formatSize(arrived)} arrived at the other end`,
    ],
    side: 'on the way',
    where: 'a proxy or a gateway on the way, which answers in place of the server',
  }
  return { ms, found: [found] }
}

async function pingOnce(scene: Scene, socket: WebSocket): Promise<number | undefined> {
  if (socket.readyState !== socket.OPEN) return undefined
  const data = Buffer.alloc(pingBytes, 'p')
  scene.spend(data.length)
  const startedMs = performance.now()
  return new Promise(resolve => {
    const timer = setTimeout(resolve, scene.silenceMs, undefined)
    socket.once('pong', (answer: Buffer) => {
      clearTimeout(timer)
      resolve(answer.equals(data) ? performance.now() - startedMs : undefined)
    })
    socket.ping(data)
  })
}

const noPong = (scene: Scene): Finding => ({
  name: 'no-pong',
  said: 'a ping is not answered',
  evidence: [
    `a ping of 125 B was sent, no pong with the same bytes came within ` +
      formatDuration(scene.silenceMs),
  ],
})

async function askSize(
  scene: Scene,
  socket: WebSocket,
  inbox: WsInbox,
  size: number,
): Promise<Finding | undefined> {
  const data = Buffer.alloc(size, 'm')
  scene.spend(size)
  let code = 0
  socket.once('close', closed => (code = closed))
  const message = await inbox.echo(() => socket.send(data), data)
  if (message?.data.equals(data)) return undefined
  const came = message ? `${formatSize(message.data.length)} came` : 'nothing came'
  const closed = code > 0 ? `, and the connection was closed with ${code}` : ''
  return {
    name: 'limit',
    said: `a message of ${formatSize(size)} does not come back`,
    evidence: [`${formatSize(size)} were sent in one message; ${came}${closed}`],
  }
}

async function askClose(scene: Scene, socket: WebSocket): Promise<Finding | undefined> {
  if (socket.readyState !== socket.OPEN) return undefined
  const closed = new Promise<number | undefined>(resolve => {
    const timer = setTimeout(resolve, scene.silenceMs, undefined)
    socket.once('close', code => {
      clearTimeout(timer)
      resolve(code)
    })
  })
  socket.close(closeCode, 'yodel')
  const code = await closed
  if (code === closeCode) return undefined
  const came = code === undefined ? 'no close frame' : `code ${code}`
  // A server may choose its own code; usually it is the same (RFC 6455 section 5.5.1).
  const name = code === undefined || code === 1_006 ? 'no-close' : 'close-code'
  return {
    name,
    said: name === 'no-close' ? 'a close is not answered' : `the close came back with code ${code}`,
    evidence: [`closed with code ${closeCode}; ${came} came back`],
  }
}
