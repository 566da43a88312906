/**
 * How an agent sends its part: in pieces, again and again until the coordinator has it; else into a
 * file.
 */
import { randomInt } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { RunResult } from '../report/result.ts'
import { nowMs } from './clock-offset.ts'
import { within } from './deferred.ts'
import type { BrokerLink } from './broker-link.ts'
import type { PartPiece, Assignment, ToCoordinator } from './messages.ts'

interface Delivery {
  context: { link: BrokerLink; save: (name: string, text: string) => string }
  topic: string
  assignment: Assignment
  about: Pick<PartPiece, 'startedMs' | 'left'>
  taken: Promise<void>
  isSilent: () => boolean
}

/** Cloud brokers take 128 kB and more. */
const pieceBytes = 64 * 1024
const againMs = 3_000
/** The time that the coordinator needs for a part: agents spread their parts by this. */
const perPartMs = 4
const spreadMostMs = 10_000
/** An agent tries for at least this long: the coordinator may come back with the broker. */
const leastMs = 2_000

/** @returns what became of the part, as the end of a sentence */
export async function deliver(result: RunResult, delivery: Delivery): Promise<string> {
  const { context, assignment, taken, isSilent } = delivery
  const { received } = result.messages
  const what = `${received.toLocaleString('en-US')} messages came back`
  // The histograms are left out: the coordinator makes them of the part.
  const text = JSON.stringify({ ...result, histograms: {} })
  const packed = gzipSync(text)
  const isTaken = taken.then(() => true)
  const spreadMs = Math.min(spreadMostMs, assignment.of * perPartMs)
  await within(isTaken, randomInt(spreadMs))
  const beganMs = nowMs()
  while (nowMs() - beganMs < leastMs || !isSilent()) {
    if (context.link.up) sendAll(packed, delivery)
    if (await within(isTaken, context.link.up ? againMs + spreadMs : leastMs / 4)) return what
  }
  const name = `yodel-part-${assignment.run}-${assignment.number}of${assignment.of}.json`
  try {
    const path = context.save(name, `${JSON.stringify(result)}\n`)
    return `${what}; its coordinator is gone, so its part is in ${path}, for \`yodel merge\``
  } catch (error) {
    return `${what}; its coordinator is gone, and its part is lost: ${(error as Error).message}`
  }
}

function sendAll(packed: Buffer, { context, topic, assignment, about }: Delivery): void {
  const pieces = Math.ceil(packed.length / pieceBytes)
  for (let piece = 0; piece < pieces; piece++) {
    const words: ToCoordinator = { kind: 'part', run: assignment.run, piece, pieces, ...about }
    const bytes = packed.subarray(piece * pieceBytes, (piece + 1) * pieceBytes)
    context.link.say(topic, words, { bytes, sure: true }).catch(() => {})
  }
}
