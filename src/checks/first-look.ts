/** The first look: does a server answer, does it echo, and how long does that take? */
import { isDatagrams } from '../vocabulary/transport.ts'
import type { Probe } from './probe.ts'
import { message, type Scene } from './scene.ts'

/** Without a line end, such an echo is waited for no longer before one is sent. */
const lineMs = 300
const words = Buffer.from('yodel check')

/** @throws UserError if no connection can be made */
export async function lookAtFirst(scene: Scene): Promise<void> {
  const { known } = scene
  if (isDatagrams(scene.address)) return
  const probe = await scene.open()
  const sentMs = performance.now()
  const isEcho = () => probe.received.includes(words) || resembles(probe.received, words)
  await probe.write(words)
  if ((await probe.until(isEcho, lineMs)) === 'silence') {
    const late = probe.until(isEcho, scene.limits.silenceMs)
    // Slow and by line look alike until a line end is sent.
    if (!(await isEarly(late))) {
      await probe.write(Buffer.from('\n'))
      const waited = await late
      known.byLine = waited === 'done' && probe.received.at(-1) === 10
    }
  }
  known.rttMs = Math.max(0, probe.lastMs - sentMs)
  known.echoes = isEcho()
  known.greetingBytes = Math.max(0, probe.received.indexOf(words))
  if (known.echoes) await measure(scene, probe)
  await probe.close()
}

/** The shortest of a few round trips: the first one is often late. */
async function measure({ known, limits }: Scene, probe: Probe): Promise<void> {
  const sent = message(known, words.length)
  for (let times = 0; times < 3; times++) {
    probe.discard()
    const sentMs = performance.now()
    await probe.write(sent)
    if ((await probe.bytes(sent.length, limits.silenceMs)) !== 'done') return
    known.rttMs = Math.min(known.rttMs, probe.lastMs - sentMs)
  }
}

/** Whether it comes by itself. */
const isEarly = (late: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    late.then(() => true),
    new Promise<false>(resolve => setTimeout(resolve, lineMs, false)),
  ])

/** What is translated on the way is an echo all the same: most of its letters are there. */
function resembles(received: Buffer, sent: Buffer): boolean {
  if (received.length < sent.length / 2 || received.length > sent.length * 2) return false
  const letters = (bytes: Buffer) =>
    bytes.toString('latin1').toLowerCase().split('').filter(isLetter).toSorted().join('')
  return letters(received) === letters(sent)
}

const isLetter = (letter: string) => letter >= 'a' && letter <= 'z'
