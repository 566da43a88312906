/** HTTP: are bodies exact, and what do headers, limits and keep-alive do? */
import { printable } from '../vocabulary/text.ts'
import { formatSize } from '../vocabulary/units.ts'
import { speaking } from '../options/where.ts'
import { persistent } from './again.ts'
import { askEarly, earlyCost } from './early-answer.ts'
import { askChunked, askStreaming, askTrailer } from './http-chunks.ts'
import { askDescription, differenceOf } from './http-described.ts'
import { unended, httpAnswerText, isOk, openLine, post, resource } from './http-exchange.ts'
import type { HttpAnswer, HttpLine } from './http-exchange.ts'
import { askHttp2 } from './http-h2.ts'
import { httpFindings, type HttpFinding } from './http-findings.ts'
import { question, type Found } from './question.ts'
import type { Scene } from './scene.ts'

type Finding = Found<HttpFinding>

const requests = 20
const headerSizes = [1_000, 2_000, 4_000, 7_500]
const bodySizes = [10_000, 65_536, 262_144]

export const http = question<HttpFinding>({
  asks:
    'whether bodies come back unchanged and are streamed, and which limits and keep-alive there ' +
    'are',
  transports: speaking('http'),
  withoutEcho: true,
  needsMs: 10_000,
  figures: { body: 'size', header: 'size', requests: 'count', 'first-byte': 'duration' },
  findings: httpFindings,
  cost: ({ thorough, bytes, silenceMs }) => ({
    atOnce: 1,
    connections: 38 + earlyCost.connections,
    bytes: (thorough ? 220 : 3) * bytes,
    ms: 10 * silenceMs + (thorough ? 60_000 : 0),
  }),
  async ask(scene) {
    const found: Finding[] = []
    const line = await openLine(scene)
    const small = await post(scene, line, Buffer.from('yodel check'))
    const basic = judgeBasic(scene, line, small)
    if (basic) return { said: basic.said, found: [basic] }
    const kept = await askKeepAlive(scene, line)
    if (kept.finding) found.push(kept.finding)
    scene.note(kept.finding)
    scene.passed = `${kept.count} requests were answered on a connection`
    const isFound = ({ finding }: { finding?: Finding | undefined }) => finding !== undefined
    const body = await persistent(() => askBodies(scene), isFound, 2)
    const bodyFinding = (await body.early?.()) ?? body.finding
    if (bodyFinding) found.push(bodyFinding)
    scene.note(bodyFinding)
    scene.passed += `, bodies up to ${formatSize(body.size)} came back exact`
    const header = await persistent(() => askHeaders(scene), isFound, 2)
    if (header.finding) found.push(header.finding)
    scene.note(header.finding)
    scene.passed += `, headers of ${formatSize(header.size)} passed`
    const stream = await persistent(() => askStreaming(scene), isFound)
    const rest = [await askChunked(scene), stream.finding, await askContinue(scene)]
    scene.note(...rest)
    const seen = await askSeenHeaders(scene)
    rest.push(...seen.found)
    scene.note(...seen.found)
    // It is not known what other servers do with a trailer.
    if (seen.isDescribed) rest.push(await askTrailer(scene))
    const second = await askHttp2(scene, seen.isDescribed)
    rest.push(...second.found)
    found.push(...rest.filter(each => each !== undefined))
    return {
      said:
        found[0]?.said ??
        `bodies up to ${formatSize(body.size)} come back exact, chunked too, and stream; ` +
          `${kept.count} requests on a connection; headers of ${formatSize(header.size)} pass; ` +
          second.said,
      found,
      figures: {
        body: body.size,
        header: header.size,
        requests: kept.count,
        'first-byte': stream.firstMs,
      },
    }
  },
})

function judgeBasic(_scene: Scene, line: HttpLine, answer: HttpAnswer): Finding | undefined {
  const evidence = [`POST of 11 B: ${httpAnswerText(answer)}`, line.probe.story]
  if (!answer.head)
    return { name: 'no-http', said: `a request gets ${httpAnswerText(answer)}`, evidence }
  const sent = Buffer.from('yodel check')
  if (isOk(answer) && answer.body.equals(sent)) return unended(answer, sent, evidence)
  return { name: 'no-echo', said: `a POST gets ${httpAnswerText(answer)}`, evidence }
}

/** Sends more requests on the connection of the first one. */
async function askKeepAlive(
  scene: Scene,
  line: HttpLine,
): Promise<{ count: number; finding?: Finding }> {
  let count = 1
  let last: HttpAnswer | undefined
  while (count < requests && line.probe.ending === undefined && !isLast(last)) {
    last = await post(scene, line, Buffer.from(`request ${count}`))
    if (!last.isWhole) break
    count++
  }
  const story = line.probe.story
  await line.probe.close()
  if (count >= requests) return { count }
  const evidence = [`the last of ${count} requests: ${last ? httpAnswerText(last) : 'none'}`, story]
  const said = `the connection ends after ${count} requests (keep-alive)`
  return { count, finding: { name: 'no-keep-alive', said, evidence } }
}

const isLast = (answer: HttpAnswer | undefined): boolean =>
  answer?.head?.headers.some(([name, value]) => isClose(name, value)) ?? false

const isClose = (name: string, value: string) =>
  name.toLowerCase() === 'connection' && /\bclose\b/i.test(value)

interface AskedBodies {
  size: number
  finding?: Finding
  /** Asks whether the body is stuck because its answer began. */
  early?: () => Promise<Finding | undefined>
}

/** Sends bodies with a Content-Length, each on a fresh connection, since a refusal may end it. */
async function askBodies(scene: Scene): Promise<AskedBodies> {
  let size = 0
  for (const next of [...bodySizes, ...(scene.limits.thorough ? [100 * 2 ** 20] : [])]) {
    const line = await openLine(scene)
    const body = Buffer.alloc(next)
    for (let at = 0; at + 4 <= next; at += 4)
      body.writeUInt32BE(Math.imul(at, 2_654_435_761) >>> 0, at)
    const answer = await post(scene, line, body)
    const { story, ending } = line.probe
    await line.probe.close()
    if (isOk(answer) && answer.isWhole && answer.body.equals(body)) {
      size = next
      continue
    }
    const evidence = [`POST of ${formatSize(next)}: ${httpAnswerText(answer)}`, story]
    const open = unended(answer, body, evidence)
    if (open) return { size, finding: open }
    const isChanged = isOk(answer) && answer.isWhole && answer.body.length === next
    const name = isChanged ? 'changed' : 'body-limit'
    const said = isChanged
      ? `a body of ${formatSize(next)} came back with other bytes`
      : `a body of ${formatSize(next)} gets ${httpAnswerText(answer)}`
    const isStuck = isOk(answer) && !answer.isWhole && ending === undefined
    const early = isStuck ? () => askEarly(scene, body, evidence) : undefined
    return { size, finding: { name, said, evidence }, ...(early && { early }) }
  }
  return { size }
}

async function askHeaders(scene: Scene): Promise<{ size: number; finding?: Finding }> {
  let size = 0
  for (const next of headerSizes) {
    const line = await openLine(scene)
    const answer = await post(scene, line, Buffer.from('x'), [`X-Check: ${'h'.repeat(next)}`])
    await line.probe.close()
    if (!isOk(answer)) {
      const said = `a header of ${formatSize(next)} gets ${httpAnswerText(answer)}`
      const evidence = [`with a header of ${formatSize(size)} it is answered; ${said}`]
      return { size, finding: { name: 'header-limit', said, evidence } }
    }
    size = next
  }
  return { size }
}

/** Compares the headers with those that the other end saw, if it reports them. */
async function askSeenHeaders(scene: Scene): Promise<{ isDescribed: boolean; found: Finding[] }> {
  const line = await openLine(scene)
  const sent = ['X-Yodel-Check: one', 'Accept: */*', 'X_Under: score', 'Cookie: a=1; b=2']
  const seen = await askDescription(scene, line, sent)
  await line.probe.close()
  if (!seen) return { isDescribed: false, found: [] }
  const lower = (headers: readonly string[]) => headers.map(each => each.toLowerCase())
  const names = [...line.usual, ...sent.map(each => each.split(':')[0]!)]
  const came = new Set(lower(seen.headers.map(([name]) => name)))
  const lines = lower(seen.headers.map(([name, value]) => `${name}: ${value}`))
  const changed = sent.filter(each => {
    const wanted = each.toLowerCase()
    return came.has(wanted.split(':')[0]!) && !lines.includes(wanted)
  })
  const said = differenceOf(names, seen.headers, changed)
  if (said === undefined) return { isDescribed: true, found: [] }
  const list = seen.headers.map(([name, value]) => `${name}: ${value}`).join(', ')
  const found: Finding = {
    name: 'headers',
    said,
    evidence: [printable(`${names.length} headers were sent, these came: ${list}`)],
    side: 'up',
    where: 'on the way to the other end, which says what it saw',
  }
  return { isDescribed: true, found: [found] }
}

async function askContinue(scene: Scene): Promise<Finding | undefined> {
  const line = await openLine(scene)
  const seen: Buffer[] = []
  const feed = line.probe.sink!
  line.probe.sink = chunk => {
    seen.push(chunk)
    feed(chunk)
  }
  const answer = line.next()
  const isContinued = () => Buffer.concat(seen).toString('latin1').startsWith('HTTP/1.1 100')
  await line.probe.write(
    line.head('POST', resource(scene), ['Content-Length: 5', 'Expect: 100-continue']),
  )
  await line.probe.until(() => isContinued() || answer.head !== undefined, scene.silenceMs)
  const continued = isContinued()
  if (answer.head === undefined) await line.probe.write(Buffer.from('hello'))
  await line.until(({ isWhole }) => isWhole, scene.silenceMs)
  await line.probe.close()
  if (continued) return undefined
  const what = answer.head ? httpAnswerText(answer) : 'nothing'
  return {
    name: 'no-continue',
    said: 'Expect: 100-continue is not answered with 100',
    evidence: [`the head of a POST with Expect: 100-continue was sent; ${what} came`],
  }
}
