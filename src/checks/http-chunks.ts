/** Bodies in chunks: do they come back, do they stream, and does a trailer pass? */
import { formatDuration } from '../vocabulary/units.ts'
import {
  unended,
  httpAnswerText,
  chunk,
  chunked,
  isOk,
  openLine,
  resource,
} from './http-exchange.ts'
import type { HttpFinding } from './http-findings.ts'
import type { Found } from './question.ts'
import type { Scene } from './scene.ts'

type Finding = Found<HttpFinding>

/** A part of a body is sent; for this long its echo is waited for before the rest is sent. */
const streamMs = 400

export async function askChunked(scene: Scene): Promise<Finding | undefined> {
  const line = await openLine(scene)
  const body = Buffer.alloc(20_000, 'chunks of a body ')
  const head = line.head('POST', resource(scene), ['Transfer-Encoding: chunked', 'Trailer: X-End'])
  const answer = await line.exchange([head, chunked(body, 1_000, ['X-End: yes'])], scene.silenceMs)
  const story = line.probe.story
  await line.probe.close()
  if (isOk(answer) && answer.isWhole && answer.body.equals(body)) return undefined
  const evidence = [`POST of 20 kB in chunks, with a trailer: ${httpAnswerText(answer)}`, story]
  const open = unended(answer, body, evidence)
  if (open) return open
  if (isOk(answer) && answer.body.length === body.length)
    return { name: 'changed', said: 'a body in chunks came back with other bytes', evidence }
  return { name: 'no-chunked', said: `a body in chunks gets ${httpAnswerText(answer)}`, evidence }
}

/** Sends a part of a body, waits for its echo for `streamMs`, and sends the rest. */
export async function askStreaming(
  scene: Scene,
): Promise<{ firstMs: number | null; finding?: Finding | undefined }> {
  const line = await openLine(scene)
  const answer = line.next()
  const startedMs = performance.now()
  await line.probe.write(line.head('POST', resource(scene), ['Transfer-Encoding: chunked']))
  await line.probe.write(chunk(Buffer.from('the first part ')))
  await line.until(({ body }) => body.length > 0, streamMs + 4 * scene.known.rttMs)
  const isEarly = answer.bodyMs !== undefined
  const restMs = performance.now()
  await line.probe.write(chunked(Buffer.from('and the rest'), 100))
  await line.until(({ isWhole }) => isWhole, scene.silenceMs)
  await line.probe.close()
  const firstMs = answer.bodyMs === undefined ? null : answer.bodyMs - startedMs
  // Another question finds out whether chunks get an answer at all.
  if (isEarly || !answer.isWhole || !isOk(answer)) return { firstMs }
  const late = formatDuration(answer.bodyMs! - restMs)
  return {
    firstMs,
    finding: {
      name: 'buffered',
      said: 'the answer begins only when the whole request has been sent: it is buffered',
      evidence: [
        `15 B of a body were sent; nothing came within ${formatDuration(restMs - startedMs)}; ` +
          `${late} after the end of the request the answer began`,
      ],
    },
  }
}

/** Whether a trailer passes; asked if the other end sends it back with the echo, as yodel does. */
export async function askTrailer(scene: Scene): Promise<Finding | undefined> {
  const line = await openLine(scene)
  const lines = ['Transfer-Encoding: chunked', 'Trailer: X-End', 'TE: trailers', 'Connection: TE']
  const body = chunked(Buffer.from('a body with a trailer'), 1_000, ['X-End: yes'])
  const request = [line.head('POST', resource(scene), lines), body]
  const answer = await line.exchange(request, scene.silenceMs)
  await line.probe.close()
  // Another question finds out whether chunks get an answer at all.
  if (!isOk(answer) || !answer.isWhole) return undefined
  const isKept = answer.trailers.some(([name, value]) => /^x-end$/i.test(name) && value === 'yes')
  return isKept ? undefined : noTrailer('HTTP/1.1')
}

export const noTrailer = (version: string): Finding => ({
  name: 'no-trailers',
  said: `a trailer does not pass over ${version}`,
  evidence: [
    `a body with the trailer X-End was sent, with TE: trailers; it came back without one, ` +
      'and this other end would have sent it back',
  ],
  side: 'on the way',
  where: 'on the way: the other end sends the trailer of a body back with the body',
})
