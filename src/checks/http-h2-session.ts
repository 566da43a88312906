/** Many requests on one connection of HTTP/2: is any reset, does it end early, do trailers pass? */
import type { ClientHttp2Session } from 'node:http2'
import { dial } from '../engines/node/index.ts'
import { plural } from '../vocabulary/units.ts'
import { asObject } from '../wire/http/headers.ts'
import { streamFor, usualHeaders } from './below.ts'
import { noTrailer } from './http-chunks.ts'
import { resource } from './http-exchange.ts'
import type { HttpFinding } from './http-findings.ts'
import type { Found } from './question.ts'
import { closing } from './room.ts'
import type { Scene } from './scene.ts'

type Finding = Found<HttpFinding>

/** The same number as over HTTP/1.1. */
const requests = 20

/** By their codes: RFC 9113 section 7. */
const errorNames = [
  'NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED',
  'FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY HTTP_1_1_REQUIRED',
].flatMap(names => names.split(' '))
const refused = errorNames.indexOf('REFUSED_STREAM')
const nameOf = (code: number): string => errorNames[code] ?? `error ${code}`

/** What became of a request. */
type Fate = 'echoed' | 'other' | 'silence' | 'ended' | { reset: number }

interface Exchanged {
  fate: Fate
  hasTrailer: boolean
}

/** @param sendsTrailers whether the other end sends a trailer back with the echo */
export async function askSession(scene: Scene, sendsTrailers: boolean): Promise<Finding[]> {
  const { all, goaway } = await askMany(scene, requests, false)
  const found = judge(all, goaway)
  if (!sendsTrailers || found.length > 0) return found
  // Some servers take a trailer of a request for a mistake, and end the connection.
  const [last] = (await askMany(scene, 1, true)).all
  return last?.hasTrailer ? [] : [noTrailer('HTTP/2')]
}

/** Sends this many requests on a new connection, one after the other. */
async function askMany(scene: Scene, count: number, withTrailer: boolean) {
  const { connect } = await import('node:http2')
  const place = streamFor('h2', scene)
  const { stream } = await scene.adopt(
    () => dial(place, scene.silenceMs),
    opened => opened.stream.destroy(),
    opened => closing(opened.stream),
  )
  const [host, ...added] = usualHeaders(scene)
  // After a FIN the stream would stay half-open, and a cut connection would look like a silent one.
  stream.once('end', () => stream.destroy())
  const session = connect(`http://${host![1]}`, { createConnection: () => stream })
  let goaway: number | undefined
  let failure: Error | undefined
  session.on('error', error => (failure = error)).on('goaway', code => (goaway = code))
  const all: Exchanged[] = []
  const isOver = () => goaway !== undefined || session.closed || session.destroyed
  // The connection ended by FIN or an error of the system. (A breach of the rules of HTTP/2 is an
  // error of Node.)
  const isCut = () =>
    session.destroyed && goaway === undefined && (failure === undefined || 'syscall' in failure)
  while (all.length < count && !isOver()) {
    const exchanged = await exchange(scene, session, asObject(added), withTrailer)
    // Node gives the streams of a connection that is cut a code, which the other end did not send.
    if (typeof exchanged.fate === 'object' && isCut()) exchanged.fate = 'ended'
    all.push(exchanged)
    if (exchanged.fate === 'silence') break
  }
  session.destroy()
  return { all, goaway }
}

/** One request, whose body has to come back. */
function exchange(
  scene: Scene,
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  withTrailer: boolean,
): Promise<Exchanged> {
  const body = Buffer.from('a request over HTTP/2')
  scene.spend(body.length)
  const path = resource(scene)
  const request = session.request(
    { ':method': 'POST', ':path': path, ...headers, ...(withTrailer && { te: 'trailers' }) },
    { waitForTrailers: withTrailer },
  )
  const came: Buffer[] = []
  let [isDone, hasTrailer] = [false, false]
  return new Promise(resolve => {
    const settle = (fate: Fate) => {
      clearTimeout(timer)
      resolve({ fate, hasTrailer })
    }
    const timer = setTimeout(settle, scene.silenceMs, 'silence')
    request.on('wantTrailers', () => request.sendTrailers({ 'x-end': 'yes' }))
    request.on('trailers', got => (hasTrailer = got['x-end'] === 'yes'))
    request.on('data', (chunk: Buffer) => came.push(chunk)).on('end', () => (isDone = true))
    request.on('error', () => {})
    request.on('close', () => {
      const { rstCode } = request
      if (rstCode) settle({ reset: rstCode })
      else if (!isDone) settle('ended')
      else settle(Buffer.concat(came).equals(body) ? 'echoed' : 'other')
    })
    request.end(body)
  })
}

function judge(all: readonly Exchanged[], goaway: number | undefined): Finding[] {
  const counted = plural(all.length, 'request')
  const fates = all.map(({ fate }) => (typeof fate === 'object' ? nameOf(fate.reset) : fate))
  const evidence = [
    `${counted} on one connection, one after the other: ${fates.join(', ')}` +
      (goaway === undefined ? '' : `; then GOAWAY with ${nameOf(goaway)}`),
  ]
  const found: Finding[] = []
  const resets = all.filter(({ fate }) => typeof fate === 'object')
  // A request that crosses GOAWAY is refused, and may be sent again (RFC 9113 section 8.7): the
  // connection ends, but no request is lost.
  const last = all.at(-1)?.fate
  if (goaway !== undefined && typeof last === 'object' && last.reset === refused) resets.pop()
  if (resets.length > 0)
    found.push({
      name: 'h2-resets',
      said: `${resets.length} of ${counted} over HTTP/2 are reset (RST_STREAM)`,
      evidence,
    })
  if (last === 'silence')
    found.push({ name: 'no-http2', said: 'a request over HTTP/2 gets no answer', evidence })
  if (all.some(({ fate }) => fate === 'other'))
    found.push({ name: 'changed', said: 'a body over HTTP/2 comes back changed', evidence })
  const echoed = all.filter(({ fate }) => fate === 'echoed')
  const after = `after ${plural(echoed.length, 'request')}`
  if (last === 'ended' && goaway === undefined)
    found.push({
      name: 'h2-cut',
      said: `a connection of HTTP/2 is cut in a request, without GOAWAY, ${after}`,
      evidence,
    })
  else if (all.length < requests && last !== 'silence')
    found.push({
      name: 'h2-ends',
      said:
        `a connection of HTTP/2 ends ${after}` +
        (goaway === undefined ? ', without GOAWAY' : ` (GOAWAY, ${nameOf(goaway)})`),
      evidence,
    })
  return found
}
