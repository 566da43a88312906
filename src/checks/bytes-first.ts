/** What bytes looks at before it sends its pieces: a greeting, no echo at all, echoes by line. */
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { magic } from '../wire/direction/hello.ts'
import type { ByteFinding } from './bytes-findings.ts'
import { shownBytes } from './changes.ts'
import type { ProbeConnection } from './probe.ts'
import type { Found } from './question.ts'
import type { Scene } from './scene.ts'

/** How long a server that speaks first may take for it. */
export const greetingMs = 250
/** No greeting, and no answer to a few bytes, is longer: something else talks. */
const talkMaxBytes = 65_536
/** An echo that has not come is waited for as long as this many times `silenceMs`. */
const latePatience = 5

type Finding = Found<ByteFinding>

/** Looks for a greeting: sends nothing, and waits. */
export async function listen(scene: Scene): Promise<Finding | undefined> {
  const { known } = scene
  const before = known.greetingBytes
  known.greetingBytes = 0
  const probe = await scene.open()
  await probe.until(() => probe.receivedBytes > talkMaxBytes, greetingMs)
  await probe.close()
  const came = probe.received
  // Whether the other end keeps traces was asked on a connection of its own, too.
  const isOwn = came.length > 0 && (known.sent.includes(came) || came.includes(magic))
  if (isOwn) return describeCrossed(probe)
  known.greetingBytes = Math.max(before, came.length)
  if (known.greetingBytes === 0) return undefined
  return {
    name: 'greeting',
    said: `${formatSize(known.greetingBytes)} came before anything was sent`,
    evidence: [probe.story, `it begins with ${shownBytes(came, 60)}`],
  }
}

/** A late echo of what was sent on a connection before is no greeting. */
const describeCrossed = ({ received, story }: ProbeConnection): Finding => ({
  name: 'crossed',
  said: `the echo of ${formatSize(received.length)} came on another connection, a later one`,
  evidence: [
    `nothing was sent on a fresh connection: ${story}`,
    `that is what was sent on an earlier one: ${shownBytes(received, 60)}`,
  ],
})

export async function describeNoEcho(scene: Scene): Promise<Finding> {
  const probe = await scene.open()
  const sent = Buffer.from('yodel check\n')
  await probe.write(sent)
  const isOver = () => probe.receivedBytes > talkMaxBytes || probe.received.equals(sent)
  await probe.until(isOver, latePatience * scene.limits.silenceMs)
  await probe.close()
  const reply = probe.received
  if (reply.equals(sent)) {
    scene.known.refusal = 'an echo comes too late for it'
    return describeLate(probe)
  }
  const evidence = [probe.story]
  if (reply.length > 0) evidence.push(`what came begins with ${shownBytes(reply, 60)}`)
  if (reply.length === 0)
    return {
      name: 'silent',
      said:
        probe.ending === undefined
          ? 'the server accepts the connection and the bytes, but nothing comes back'
          : `the server accepts the connection, and ends it (${probe.ending}) without an echo`,
      evidence,
    }
  return { name: 'no-echo', said: `what comes back is not an echo${speaks(reply)}`, evidence }
}

const describeLate = ({ lastMs, wroteMs, story }: ProbeConnection): Finding => ({
  name: 'late',
  said: `what is sent comes back, but only after ${formatDuration(lastMs - wroteMs)}`,
  evidence: [story],
})

/** Which protocol an answer belongs to, by its first bytes. */
function speaks(reply: Buffer): string {
  const start = reply.subarray(0, 8).toString('latin1')
  if (start.startsWith('HTTP/')) return ': an HTTP server answers'
  if (reply[0]! >= 0x14 && reply[0]! <= 0x17 && reply[1] === 3) return ': a TLS server answers'
  if (start.startsWith('SSH-')) return ': an SSH server answers'
  return ''
}

/** The first look may have met a path, or a machine, that was only slow. */
export async function describeByLine(scene: Scene): Promise<Finding | undefined> {
  const probe = await scene.open()
  const word = Buffer.from('yodel')
  await probe.write(word)
  if ((await probe.bytes(word.length, scene.silenceMs)) === 'done') {
    scene.known.byLine = false
    await probe.close()
    return undefined
  }
  await probe.write(Buffer.from('\n'))
  await probe.bytes(word.length + 1, scene.silenceMs)
  await probe.close()
  return {
    name: 'line-buffered',
    said: 'nothing comes back before a line end is sent',
    evidence: [probe.story],
  }
}
