/** Bytes: does every byte come back as it was sent, and nothing else? */
import { formatSize, plural } from '../vocabulary/units.ts'
import { carrying } from '../options/where.ts'
import { aroundDifference, changeOf, shownBytes, type ByteChange } from './changes.ts'
import { byteFindings, type ByteFinding } from './bytes-findings.ts'
import { describeByLine, describeNoEcho, greetingMs, listen } from './bytes-first.ts'
import { pieces, volume, type TestPiece } from './bytes-pieces.ts'
import { witnessed } from './attribution.ts'
import type { ProbeConnection, Waited } from './probe.ts'
import { joined, question, type Found } from './question.ts'
import type { Scene } from './scene.ts'

/** How long to look for bytes behind the last echo: if there are any, they come at once. */
const extraMs = 60
/** More pieces than that say nothing new. */
const badMax = 3

type Finding = Found<ByteFinding>
/** If nothing else is found, a message comes back as it was sent. */
const leavesExact: ReadonlySet<ByteFinding> = new Set(['greeting', 'crossed', 'line-buffered'])

export const bytes = question({
  asks: 'whether every byte comes back as it was sent, and nothing else',
  transports: carrying('bytes'),
  findings: byteFindings,
  figures: {},
  withoutEcho: true,
  traced: 'again',
  needsMs: 10_000,
  cost: ({ thorough, bytes, rowMs, silenceMs }) => ({
    atOnce: 1,
    connections: 5 + pieces.length + badMax,
    bytes: (thorough ? 64 : 1) * bytes + 2 ** 14,
    // This includes asking a second time, and asking the other end.
    ms: 8 * silenceMs + 2 * rowMs,
  }),
  async ask(scene) {
    const found: Finding[] = []
    const greeting = await listen(scene)
    if (greeting) found.push(greeting)
    scene.note(greeting)
    if (!scene.known.echoes) {
      found.push(await describeNoEcho(scene))
      return { said: 'what is sent does not come back', found }
    }
    const byLine = scene.known.byLine ? await describeByLine(scene) : undefined
    if (byLine) found.push(byLine)
    scene.note(...found)
    const bad = joined(await askPieces(scene))
    found.push(...bad)
    const stream = bad.length === 0 ? await askVolume(scene) : { found: [], missingBytes: 0 }
    found.push(...stream.found)
    scene.known.exact = found.every(({ name }) => leavesExact.has(name))
    const total = formatSize(scene.used.bytes - stream.missingBytes)
    const rest = formatSize(stream.missingBytes)
    const late = stream.missingBytes > 0 ? `; ${rest} were on the way when its time was over` : ''
    return {
      said:
        found[0]?.said ??
        `all 256 values, line ends, control bytes, single bytes: ${total} came back ` +
          `unchanged${late}`,
      found,
    }
  },
})

/** Sends each piece on the connection of the piece before, as long as that connection works. */
async function askPieces(scene: Scene): Promise<Finding[]> {
  const found: Finding[] = []
  let probe: ProbeConnection | undefined
  /** How many bytes must have come on this connection; more bytes are a finding. */
  let due = 0
  for (const [passed, piece] of pieces.entries()) {
    if (found.length >= badMax) break
    if (passed > 0 && found.length === 0)
      scene.passed = `${passed} of ${pieces.length} kinds of bytes came back unchanged`
    const extra = probe && found.length === 0 ? addedBehind(probe, due) : undefined
    if (extra) found.push(witnessed(extra, await scene.witness(probe!)))
    scene.note(extra)
    if (piece.first || probe?.ending !== undefined) {
      await probe?.close()
      probe = undefined
    }
    probe ??= await scene.open()
    probe.discard()
    due = sentAs(scene, piece).length
    let bad = await askPiece(scene, probe, piece)
    // One piece that is stuck is enough to know it.
    if (bad?.name === 'stuck' && !found.some(({ name }) => name === 'stuck')) {
      // A busy machine may be silent for a moment, too; what is really stuck is stuck a second
      // time.
      await probe.close()
      probe = await scene.open()
      bad = await askPiece(scene, probe, piece)
    }
    // Behind the last echo of a connection something may come, too.
    if (!bad && pieces[passed + 1]?.first) await probe.until(() => false, extraMs)
    if (!bad) continue
    const seen = await scene.witness(probe)
    await probe.close()
    probe = undefined
    if (bad.name === 'changed' && !found.some(({ name }) => name === 'changed'))
      bad = await byChance(scene, piece, bad)
    found.push(witnessed(bad, seen))
    scene.note(found.at(-1))
  }
  await probe?.close()
  return found
}

/** What came behind an echo, and was not sent. */
function addedBehind(probe: ProbeConnection, due: number): Finding | undefined {
  const extra = probe.received.subarray(due)
  if (extra.length === 0) return undefined
  const said = `${formatSize(extra.length)} came behind an echo: ${shownBytes(extra)}`
  return { name: 'added', said, evidence: [probe.story] }
}

const sentAs = ({ known }: Scene, { data }: TestPiece): Buffer =>
  known.byLine ? Buffer.concat([data, Buffer.from('\n')]) : data

/** A program translates each time. What comes back right the second time is damaged by chance. */
async function byChance(scene: Scene, piece: TestPiece, bad: Finding): Promise<Finding> {
  const probe = await scene.open()
  const again = await askPiece(scene, probe, piece)
  await probe.close()
  if (again) return bad
  const evidence = [...bad.evidence, 'on a fresh connection the same came back unchanged']
  return { ...bad, name: 'corrupted', said: `${bad.said}; the second time it was right`, evidence }
}

async function askPiece(
  scene: Scene,
  probe: ProbeConnection,
  piece: TestPiece,
): Promise<Finding | undefined> {
  const sent = sentAs(scene, piece)
  if (piece.apart)
    for (const byte of sent) {
      await probe.write(Buffer.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
  else await probe.write(sent)
  const isWrong = () => !sent.subarray(0, probe.receivedBytes).equals(probe.received)
  const waited = await probe.until(
    () => probe.receivedBytes >= sent.length || isWrong(),
    scene.silenceMs,
  )
  // If bytes are wrong, waits for the rest: some may be missing, so their number is not known.
  if (waited === 'done' && isWrong()) await probe.until(() => false, extraMs + scene.known.rttMs)
  if (piece.last || probe.receivedBytes > sent.length)
    await probe.until(() => false, piece.last ? greetingMs : extraMs)
  const received = probe.received
  const change = changeOf(sent, received)
  if (!change) return undefined
  const [was, is] = aroundDifference(sent, received)
  const evidence = [`${piece.name}: sent ${was}, came ${is}`, probe.story]
  const isPrefix = sent.subarray(0, received.length).equals(received)
  if (isPrefix && waited === 'ended')
    return {
      name: 'closed',
      said: `the connection ended (${probe.ending}) when this was sent: ${piece.name}`,
      evidence,
    }
  if (isPrefix && received.length === 0)
    return { name: 'stuck', said: `${piece.name}: nothing came back`, evidence }
  return { ...named(change, piece.name), evidence }
}

const named = (change: ByteChange, of: string): Pick<Finding, 'name' | 'said'> => ({
  name: change.kind,
  said: `${of}: ${change.said}`,
})

/** Sends enough, in both directions at once, to fill the buffers on the way. */
async function askVolume(scene: Scene): Promise<{ found: Finding[]; missingBytes: number }> {
  const total = (scene.limits.thorough ? 64 : 1) * scene.limits.bytes - 2 ** 14
  const probe = await scene.open()
  const check = volume(total, scene.known.byLine)
  probe.sink = chunk => check.arrived(chunk)
  let at = 0
  const endMs = performance.now() + scene.limits.rowMs
  // On a slow path bytes are still under way when sending ends.
  const isLate = () => performance.now() > endMs + scene.limits.rowMs
  scene.passed = 'all kinds of bytes came back unchanged'
  for (const block of check.blocks()) {
    if (check.isOther || probe.ending !== undefined || performance.now() > endMs) break
    at += block.length
    // A server that does not read any more is silent, too.
    if ((await probe.push(block, scene.silenceMs, isLate)) !== 'done') break
  }
  const before = probe.receivedBytes
  const isComing = () => probe.receivedBytes > before && isLate()
  const waited = await probe.until(
    () => check.isOther || probe.receivedBytes >= at || isComing(),
    scene.silenceMs,
  )
  await probe.until(() => false, extraMs)
  const bad = judgeVolume(probe, at, check, waited)
  scene.note(bad)
  const found = bad ? [witnessed(bad, await scene.witness(probe))] : []
  await probe.close()
  return { found, missingBytes: Math.max(0, at - probe.receivedBytes) }
}

function judgeVolume(
  probe: ProbeConnection,
  at: number,
  check: ReturnType<typeof volume>,
  waited: Waited,
): Finding | undefined {
  const seen = `${formatSize(at)} sent in one stream, ${formatSize(probe.receivedBytes)} came back`
  const evidence = [seen, probe.story]
  const { wrong, isOther } = check
  if (wrong !== undefined && !isOther && probe.receivedBytes === at)
    return { ...damaged(check, at), evidence: [...damages(check), ...evidence] }
  if (wrong !== undefined) return { name: 'changed', said: wrong, evidence }
  if (probe.receivedBytes > at)
    return { name: 'added', said: `more came back than was sent: ${seen}`, evidence }
  if (probe.receivedBytes === at) return undefined
  // The rest was still coming when the time ran out.
  if (waited === 'done') return undefined
  if (waited === 'ended')
    return { name: 'closed', said: `the connection ended (${probe.ending}): ${seen}`, evidence }
  return { name: 'stuck', said: `the stream stopped: ${seen}`, evidence }
}

/** For a few wrong bytes in single places: a program that translates would change more. */
const damaged = ({ wrongBytes }: ReturnType<typeof volume>, at: number) => ({
  name: 'corrupted' as const,
  said: `${plural(wrongBytes, 'byte')} of ${formatSize(at)} came back changed, here and there`,
})

function damages({ places, wrongBytes }: ReturnType<typeof volume>): string[] {
  const listed = places.map(({ at, was, is }) => `${hex(was)} became ${hex(is)} at byte ${at}`)
  const areBits = places.every(({ was, is }) => isPowerOfTwo(was ^ is))
  return [
    listed.join(', ') + (wrongBytes > places.length ? ' ...' : ''),
    ...(areBits ? ['in each of these, one bit is flipped'] : []),
  ]
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
const isPowerOfTwo = (bits: number): boolean => (bits & (bits - 1)) === 0
