/** What a request for a WebSocket offers, what of it arrives, and what is agreed on. */
import { randomBytes } from 'node:crypto'
import { printable } from '../vocabulary/text.ts'
import { differenceOf } from './http-described.ts'
import type { Header } from '../wire/http/headers.ts'
import { openLine, resource, type HttpLine } from './http-exchange.ts'
import type { Found } from './question.ts'
import type { Scene } from './scene.ts'
import type { WsFinding } from './ws-findings.ts'

type Finding = Found<WsFinding>

const subprotocol = 'yodel.check'
const headMaxBytes = 16_384

/**
 * The upgrade with a subprotocol and compression. Written by hand: a client of WebSocket refuses an
 * answer without a subprotocol, and does not show it.
 */
export async function askOffers(scene: Scene): Promise<{ agreed: string; findings: Finding[] }> {
  const line = await openLine(scene)
  const answer = await upgrade(scene, line)
  if (answer?.status !== 101) {
    await line.probe.close()
    const got = answer ? `with ${answer.status}` : 'and says nothing'
    return { agreed: `with a subprotocol and compression offered it refuses ${got}`, findings: [] }
  }
  const hasDeflate = /permessage-deflate/.test(valueOf(answer.headers, 'sec-websocket-extensions'))
  const hasProtocol = valueOf(answer.headers, 'sec-websocket-protocol') === subprotocol
  const arrived = (await scene.accountOf(line.probe))?.headers
  await line.probe.close()
  const [deflate, protocol] = [hasDeflate, hasProtocol].map(has => `${has ? '' : 'not '}agreed on`)
  const agreed = `compression ${deflate}, subprotocol ${protocol}`
  if (!arrived) return { agreed, findings: [] }
  return { agreed, findings: judge(arrived, hasProtocol, line.usual) }
}

const offers = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  `Sec-WebSocket-Protocol: ${subprotocol}`,
  'X-Yodel-Check: one',
]
const keyHeader = 'Sec-WebSocket-Key'

/** The head of the answer; undefined if none comes. */
async function upgrade(
  scene: Scene,
  line: HttpLine,
): Promise<{ status: number; headers: Header[] } | undefined> {
  const { probe } = line
  const end = '\r\n\r\n'
  probe.sink = undefined
  const key = `${keyHeader}: ${randomBytes(16).toString('base64')}`
  await probe.write(line.head('GET', resource(scene), [...offers, key]))
  const isDone = () => probe.received.includes(end) || probe.receivedBytes > headMaxBytes
  if ((await probe.until(isDone, scene.silenceMs)) !== 'done') return undefined
  const [first = '', ...lines] = probe.received.toString('latin1').split(end)[0]!.split('\r\n')
  const headers = lines.map((text): Header => {
    const [name = '', ...value] = text.split(':')
    return [name.trim().toLowerCase(), value.join(':').trim()]
  })
  return { status: Number(/^HTTP\/1\.1 (\d{3})\b/.exec(first)?.[1] ?? 0), headers }
}

const valueOf = (headers: readonly Header[], wanted: string): string =>
  headers.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? ''

const nameOf = (header: string): string => header.split(':')[0]!

/** @param usual names of headers that each request has */
function judge(
  headers: readonly Header[],
  hasProtocol: boolean,
  usual: readonly string[],
): Finding[] {
  const sent = [...usual, keyHeader, ...offers].map(nameOf)
  const list = headers.map(([name, value]) => `${name}: ${value}`).join(', ')
  const evidence = [printable(`the request that arrived there has: ${list}`)]
  const where = 'on the way to the other end, which says what it saw'
  const about = { evidence, side: 'up' as const, where }
  const found: Finding[] = []
  if (!/permessage-deflate/.test(valueOf(headers, 'sec-websocket-extensions')))
    found.push({ name: 'no-deflate', said: 'compression is taken out of the request', ...about })
  const isOffered = valueOf(headers, 'sec-websocket-protocol').includes(subprotocol)
  if (!isOffered)
    found.push({
      name: 'no-subprotocol',
      said: 'the subprotocol is taken out of the request',
      ...about,
    })
  // The other end is a yodel, which agrees on the first that is offered.
  else if (!hasProtocol)
    found.push({
      name: 'no-subprotocol',
      said: 'the subprotocol is taken out of the answer',
      evidence: [...evidence, `its answer agrees on ${subprotocol}, and came without it`],
      side: 'down',
      where: 'on the way back: the other end agreed on it',
    })
  const said = differenceOf(sent, headers)
  if (said !== undefined) found.push({ name: 'headers', said, ...about })
  return found
}
