/** WebSocket: are messages kept as they were, with their kinds, bounds, pings and close codes? */
import { isIP } from 'node:net'
import type { ClientOptions, WebSocket } from 'ws'
import { formatAddress, type HostAddress } from '../vocabulary/address.ts'
import { printable } from '../vocabulary/text.ts'
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { contextOf } from '../wire/tls/credentials.ts'
import { persistent } from './again.ts'
import { joined, question, type Answer, type Found } from './question.ts'
import type { Scene } from './scene.ts'
import { wsFindings, type WsFinding } from './ws-findings.ts'

type Finding = Found<WsFinding>
/** In the order in which they are tried; each message has to come back whole. */
const sizes = [125, 126, 65_535, 65_536, 262_144]
const closeCode = 4_321
/** What a silence has shown, and how often it is asked then. */
const byTime: ReadonlySet<WsFinding> = new Set(['stuck', 'limit', 'no-pong', 'no-close'])
const timesMost = 2

export const ws = question<WsFinding>({
  asks: 'whether messages keep their kinds and bounds, and pings and close codes pass',
  transports: ['ws', 'wss'],
  withoutEcho: true,
  figures: { ping: 'duration', message: 'size' },
  findings: wsFindings,
  cost: ({ silenceMs }) => ({
    atOnce: 1,
    connections: 3 * timesMost,
    bytes: timesMost * 2 ** 20,
    ms: 7 * silenceMs,
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
  const socket = await open(scene, {}).catch((error: Error) => error)
  if (socket instanceof Error) return notUpgraded(scene, socket)
  const kinds = joined(await askKinds(scene, socket))
  found.push(...kinds)
  const ping = await askPing(scene, socket)
  if (ping === undefined) found.push(noPong(scene))
  let largest = 0
  for (const size of kinds.length === 0 ? sizes : []) {
    const failed = await askSize(scene, socket, size)
    if (failed) {
      found.push(failed)
      break
    }
    largest = size
  }
  const close = await askClose(scene, socket)
  if (close) found.push(close)
  const agreed = await askExtensions(scene)
  const said =
    found[0]?.said ??
    `text, binary, fragments up to ${formatSize(largest)}, ping and close codes pass; ${agreed}`
  return { said, found, figures: { ping: ping ?? null, message: largest } }
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

/** A plain client of its own, so that frames can be sent as they are wanted. */
function open(scene: Scene, options: ClientOptions, protocols: string[] = []): Promise<WebSocket> {
  const { host } = scene.address as HostAddress
  const { insecure = false, pin, serverName } = scene.calling.tls ?? {}
  const secure = scene.address.transport === 'wss' && {
    secureContext: contextOf(scene.calling),
    rejectUnauthorized: pin === undefined && !insecure,
    servername: isIP(serverName ?? host) ? '' : (serverName ?? host),
  }
  return scene.adopt(
    async () => {
      // Loaded when it is asked for: the library has check beside what needs no ws.
      const { WebSocket } = await import('ws')
      return new Promise((resolve, reject) => {
        const socket = new WebSocket(formatAddress(scene.address), protocols, {
          perMessageDeflate: false,
          handshakeTimeout: 2 * scene.silenceMs,
          ...secure,
          ...options,
        })
        socket.once('error', reject)
        socket.once('open', () => {
          socket.off('error', reject).on('error', () => {})
          resolve(socket)
        })
      })
    },
    socket => socket.terminate(),
  )
}

interface Message {
  data: Buffer
  isBinary: boolean
}

/** The next one, or undefined after a silence or an end. */
function next(scene: Scene, socket: WebSocket): Promise<Message | undefined> {
  return new Promise(resolve => {
    const settle = (message: Message | undefined) => {
      clearTimeout(timer)
      socket.off('message', received).off('close', ended)
      resolve(message)
    }
    const received = (data: Buffer, isBinary: boolean) => settle({ data, isBinary })
    const ended = () => settle(undefined)
    const timer = setTimeout(settle, scene.silenceMs, undefined)
    socket.on('message', received).on('close', ended)
    if (socket.readyState !== socket.OPEN) settle(undefined)
  })
}

async function askKinds(scene: Scene, socket: WebSocket): Promise<Finding[]> {
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
    const reply = next(scene, socket)
    send()
    const message = await reply
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

/** Of 125 bytes, the most that a ping has (RFC 6455 section 5.5). */
async function askPing(scene: Scene, socket: WebSocket): Promise<number | undefined> {
  if (socket.readyState !== socket.OPEN) return undefined
  const data = Buffer.alloc(125, 'p')
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
  size: number,
): Promise<Finding | undefined> {
  const data = Buffer.alloc(size, 'm')
  scene.spend(size)
  let code = 0
  socket.once('close', closed => (code = closed))
  const reply = next(scene, socket)
  socket.send(data)
  const message = await reply
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

/** What is offered, and what is left of that. */
async function askExtensions(scene: Scene): Promise<string> {
  const offered = await open(scene, { perMessageDeflate: true }, ['yodel.check']).catch(
    () => undefined,
  )
  if (!offered) return 'with a subprotocol and compression offered it refuses'
  const deflate = /permessage-deflate/.test(offered.extensions) ? 'agreed on' : 'not agreed on'
  const protocol = offered.protocol === '' ? 'not agreed on' : 'agreed on'
  offered.terminate()
  return `compression ${deflate}, subprotocol ${protocol}`
}
